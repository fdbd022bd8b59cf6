// Sleeping on the progress of this database's applier.
//
// Layer:   backend
// Sharing: shared memory (DatabaseSlot.progress and the counters beside it)
// Errors:  returns Status; interruptible
//
// The server's deadlock detector does not know that a session waits for an applier. So a sleeper
// looks itself: if the applier waits for a lock that this session holds, or that is queued for
// behind this session's lock (ATTACKS B1), the wait would never end, and fails at once.

#ifndef PG_TVIEWS_BACKEND_READING_SLOT_WAIT_H_
#define PG_TVIEWS_BACKEND_READING_SLOT_WAIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"

namespace tviews::backend {

// Microseconds; nullopt: for ever.
using Timeout = std::optional<std::int64_t>;

class Deadline {
 public:
  explicit Deadline(Timeout timeout);
  bool has_passed() const;
  // Milliseconds to sleep now, at most `longest`.
  long NapMs(long longest) const;

 private:
  std::optional<Timestamp> at_;
};

// True if the lane is paused, or the whole database.
bool IsPaused(const pg::DatabaseSlot& slot);

// What keeps the applier from working, whatever time one gives it.
enum class Standstill { kNone, kPaused, kDisabled };
Standstill StandstillOf(const pg::DatabaseSlot& slot);

// The database's slot; while every slot serves another database, the launcher is told to look for
// one. Null after the deadline. Or the slot of a lane.
absl::StatusOr<pg::DatabaseSlot*> SlotHere(const Deadline& deadline, const std::string& lane);

// pg_tviews_wait() and the like cannot be called on a standby.
absl::Status CheckApplierCanServe();

// Raises the slot's `requested`; 0 if the slot has been freed.
std::uint64_t TakeTicket(pg::DatabaseSlot* slot);

// The TVIEWs that a wait is for.
struct Concerned {
  std::vector<RelationId> tviews;
  bool all = true;                                 // that the current user may read
  std::optional<std::string> lane = std::nullopt;  // only those of this one

  bool any() const { return all || !tviews.empty(); }
};

// The lanes of these TVIEWs, the main one first.
absl::StatusOr<std::vector<std::string>> LanesOf(const Concerned& concerned);
// True if there are no others.
absl::StatusOr<bool> AreAllLanes(const Concerned& concerned);

// Within pg::Call: it may read the catalogs. True if a batch has left one of them aside for a lock
// that it could not get (pg_tview_behind), or if one waits to be adopted.
bool IsBehind(pg::DatabaseSlot* slot, const Concerned& concerned);

struct SleepPlan {
  const Deadline& deadline;
  const Concerned& concerned;
  long recheck_ms;           // how often `is_done` is asked where no batch ends
  bool leave_at_standstill;  // otherwise a WARNING, and the wait goes on
};

// Sleeps until `is_done`, which is asked again after every batch and every `recheck_ms`. The slot
// may be freed meanwhile: `generation` tells. An answer counts only if the slot still serves this
// database afterwards: another one's frontier knows our transactions too. False if the deadline has
// passed, the slot was freed, or the plan says to leave.
absl::StatusOr<bool> SleepUntil(pg::DatabaseSlot* slot, std::uint32_t generation,
                                const SleepPlan& plan, absl::FunctionRef<bool()> is_done);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_SLOT_WAIT_H_
