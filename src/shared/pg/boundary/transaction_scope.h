// The places, besides Enter, where an error may end.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  returns the body's Status after rolling back

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_TRANSACTION_SCOPE_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_TRANSACTION_SCOPE_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace tviews::pg {

// For background workers: runs `body` in a transaction of its own, commits it, or rolls it back
// and returns the failure. No snapshot is active when the body starts.
// REQUIRES: no transaction is open.
absl::Status RunTransaction(absl::FunctionRef<absl::Status()> body);

// Runs `body` in a subtransaction, releases it, or rolls back to its start and returns the
// failure; memory context, resource owner, user id and active snapshot are as before.
absl::Status RunSubtransaction(absl::FunctionRef<absl::Status()> body);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_TRANSACTION_SCOPE_H_
