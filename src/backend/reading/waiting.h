// Waiting for the applier.
//
// Layer:   backend
// Sharing: shared memory (tickets, the frontier)
// Errors:  returns Status; interruptible; 40P01 where the applier waits for this session
//
// A ticket (ATTACKS A14): the session raises `requested`; the applier reads it before it takes its
// snapshot and publishes it as `served` after the batch, also an empty one. So when the ticket is
// served, every transaction that had committed before the session asked is applied.

#ifndef PG_TVIEWS_BACKEND_READING_WAITING_H_
#define PG_TVIEWS_BACKEND_READING_WAITING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/reading/slot_wait.h"
#include "shared/types.h"

namespace tviews::backend {

// 42704 if TVIEWs of no such lane exist.
absl::Status CheckLaneExists(const std::optional<std::string>& lane);

// Returns when everything committed before the call is applied, except to TVIEWs that a batch has
// left aside for a lock (pg_tview_behind).
// Of the lane of `tview`.
absl::Status WaitForBatch(RelationId tview, Timeout timeout);

// The same, TVIEWs that were left aside included. While the applier is paused it
// waits on, after a WARNING.
// `lane`: the TVIEWs of that one only.
absl::Status WaitForEverything(const std::optional<std::string>& lane, Timeout timeout);

// Returns when the TVIEWs contain transaction `xid`, or when it has aborted. A transaction that is
// still in progress is waited for. On a standby: when the replicated TVIEWs contain it; `function`
// is then the SQL function that was called (standby_wait.h).
absl::Status WaitForTransaction(FullXid xid, const std::optional<std::string>& lane,
                                RelationId function, Timeout timeout);

// The same for statements that read: how it ended, instead of an error.
enum class Waited {
  kDone,
  kDoneForThese,  // other TVIEWs than those concerned are left aside
  kTimedOut,
  kPaused,
  kDisabled
};

// `xid` has ended, and its record is on its way to the applier.
absl::StatusOr<Waited> AwaitCommitted(FullXid xid, const Concerned& concerned, Timeout timeout);
// Asks nobody where nothing waits.
absl::StatusOr<Waited> AwaitEverything(const Concerned& concerned, Timeout timeout);

// After kPaused: the lane that was paused by itself; nothing where the whole database is.
std::optional<std::string> PausedLane();

// A TVIEW that is left behind for its own fault, or reads one that is: nobody waits for it.
struct GivenUp {
  RelationId tview = 0;
  std::string name;
  std::string reason;
};
absl::StatusOr<std::vector<GivenUp>> GivenUpTviews();
inline constexpr char kGivenUpHint[] =
    "See pg_tview_behind for when it is tried again; pg_tviews_retry() tries at once.";

// pg_tviews.read_timeout.
Timeout ReadTimeout();

// The error after Waited::kTimedOut, with how far behind the TVIEWs are.
absl::Status TimedOut(const std::string& waiting_for = "the TVIEWs of this database to catch up");

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_WAITING_H_
