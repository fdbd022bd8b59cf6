// The applier: one background worker per database with TVIEWs, and one per lane of it.
//
// Layer:   worker
// Sharing: holds the database's slot while it lives
// Errors:  a failed batch is repeated with back-off; a failed start ends the process with exit code
// 1
//
//   starting --slot attached--> idle --work--> applying --committed--> idle
//                                ^                 |failed
//                                |                 v
//                                '--wait over-- backing off
//   paused (pg_tviews_pause()): stays idle, or backing off, whatever waits
//   others wait for a slot or a worker: ends after a short turn if idle, after a longer one anyway;
//     a lane's leaves its slot to the next
//   idle --nothing for applier_idle_timeout, nothing in flight--> ends with exit code 0
//
// Exit codes: 0 = not wanted (no extension here, slot busy, idle), 1 = try again.

#ifndef PG_TVIEWS_WORKER_BATCH_APPLIER_H_
#define PG_TVIEWS_WORKER_BATCH_APPLIER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/worker_slots.h"
#include "worker/batch/adoption.h"
#include "worker/batch/batch.h"
#include "worker/batch/chores.h"
#include "worker/core/repetition.h"

namespace tviews::worker {

// How an applier leaves: having given its slot back, or with it.
enum class Departure : std::uint8_t { kSlotReleased, kWithSlot };

// Whether the database has the extension. In a transaction of its own.
absl::StatusOr<bool> ExtensionIsHere();

class Applier {
 public:
  explicit Applier(pg::DatabaseSlot* slot) : slot_(slot), batch_(slot) {}

  // Runs batches until the applier is not wanted any more.
  absl::StatusOr<Departure> Loop();

 private:
  bool is_main() const { return !pg::IsOfLane(slot_); }
  bool IsDue();
  bool IsPaused() const;
  bool MayBegin();
  bool MayBeginHere();
  void ShowState(pg::ApplierState state);
  void RunBatch();
  absl::Status Wait();
  absl::StatusOr<std::optional<Departure>> Housekeeping();
  absl::Status CheckVersions();
  absl::StatusOr<std::optional<Departure>> ShouldEnd() const;

  pg::DatabaseSlot* slot_;
  BatchRunner batch_;
  Adoption adoption_;
  Chores chores_;
  bool versions_agree_ = true;  // those of the library and of the SQL objects
  Repetition repetition_;
  Timestamp began_at_ = 0;
  Timestamp idle_since_ = 0;
  std::uint64_t checked_generation_ = 0;  // of the catalog, when the extension was last seen
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_APPLIER_H_
