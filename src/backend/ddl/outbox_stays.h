// VACUUM FULL passes by the outbox: change records are addressed by their place in it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Tools that rewrite the tables of a database name each of them, or none. An error at the outbox
// would end the work of all of them, and a move would lose what waits there.

#ifndef PG_TVIEWS_BACKEND_DDL_OUTBOX_STAYS_H_
#define PG_TVIEWS_BACKEND_DDL_OUTBOX_STAYS_H_

#include "absl/status/statusor.h"

struct PlannedStmt;

namespace tviews::backend {

// The statement without the outbox; `planned` itself where it would not move it, and null where
// nothing is left to be done.
absl::StatusOr<PlannedStmt*> LeaveOutboxOut(PlannedStmt* planned);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_OUTBOX_STAYS_H_
