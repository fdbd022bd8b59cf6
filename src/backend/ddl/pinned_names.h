// The relations that a DDL command names, found once, under the locks that the command takes.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status; permission and existence are the server's own errors
//
// A command waits for its locks, and while it waits others create the database's first TVIEW over
// its table, or swap tables under its name. Whoever decides before the lock decides about another
// state, and whoever looks a name up a second time may find another relation. So each name is
// looked up here first, locked as the command will lock it, and written into a copy of the
// statement with its schema; a name cannot leave a relation that is locked. What hooks then ask of
// catalogs and caches is true until the command has run.
//
// Nothing is locked for a role whose command the server is going to refuse.

#ifndef PG_TVIEWS_BACKEND_DDL_PINNED_NAMES_H_
#define PG_TVIEWS_BACKEND_DDL_PINNED_NAMES_H_

#include "absl/status/statusor.h"
#include "shared/types.h"

struct PlannedStmt;
struct ViewStmt;

namespace tviews::backend {

// `planned` itself, where it names nothing that matters to TVIEWs.
absl::StatusOr<PlannedStmt*> PinNames(PlannedStmt* planned);

// The view that CREATE OR REPLACE VIEW replaces: it is looked for only where it would be created. 0
// if there is none.
absl::StatusOr<RelationId> ReplacedView(const ViewStmt* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_PINNED_NAMES_H_
