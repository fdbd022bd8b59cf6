// Having the applier compare a TVIEW with its query.
//
// Layer:   backend
// Sharing: shared memory (DatabaseSlot.requests, under queue_lock)
// Errors:  returns Status; interruptible

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_REQUEST_REFRESH_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_REQUEST_REFRESH_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

struct RefreshOutcome {
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
};

// Has the applier compare all of `tview` with its query, and waits for it.
absl::StatusOr<RefreshOutcome> RequestRefresh(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_REQUEST_REFRESH_H_
