// Waiting for the applier.
//
// Layer:   backend
// Sharing: shared memory (tickets, refresh requests)
// Errors:  returns Status; interruptible
//
// A ticket (ATTACKS A14): the session raises `requested`; the applier reads it before it takes its
// snapshot and publishes it as `served` after the batch, also an empty one. So when the ticket is
// served, every transaction that had committed before the session asked is applied.

#ifndef PG_TVIEWS_BACKEND_WAITING_H_
#define PG_TVIEWS_BACKEND_WAITING_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Microseconds; nullopt: for ever.
using Timeout = std::optional<std::int64_t>;

// Returns when everything committed before the call is applied, except to TVIEWs that a batch has
// left aside for a lock (pg_tview_behind).
absl::Status WaitForBatch(Timeout timeout);

// The same, TVIEWs that were left aside included.
absl::Status WaitForEverything(Timeout timeout);

// Returns when the TVIEWs contain transaction `xid`, or when it has aborted. A transaction that is
// still in progress is waited for.
absl::Status WaitForTransaction(FullXid xid, Timeout timeout);

struct RefreshOutcome {
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
};

// Has the applier compare all of `tview` with its query, and waits for it.
absl::StatusOr<RefreshOutcome> RequestRefresh(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_WAITING_H_
