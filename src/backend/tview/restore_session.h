// Restoring a dump into a database whose TVIEWs are there already: without data before, or after
// DROP with --clean, or because the applier adopted them while the restore went on.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; the parser's hook raises through pg::Enter
//
// pg_dump's scripts and pg_restore set up their sessions in a way that nobody else does: an empty
// search_path, and neither checks of function bodies nor row security. In such a session
//   - rows for a TVIEW are read and left out: they follow from its sources, which are restored too
//   - a capture trigger that exists is not created again, and neither it nor a TVIEW's primary key
//     is dropped by itself: they go with the TVIEW
//   - a backing view may be dropped, or lose its query, before its TVIEW, as --clean does
// Who imitates such a session gets no further than leaving out rows and statements of their own:
// that a statement writes no row of a TVIEW is read off its plan, and off the COPY that is
// executed.

#ifndef PG_TVIEWS_BACKEND_TVIEW_RESTORE_SESSION_H_
#define PG_TVIEWS_BACKEND_TVIEW_RESTORE_SESSION_H_

#include "absl/status/statusor.h"
#include "shared/types.h"

struct PlannedStmt;

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterRestoreHook();

bool IsRestoring() noexcept;

// True while permissions of a restore's INSERT or COPY are checked whose rows for `tview` are left
// out.
bool IsLeftOut(RelationId tview) noexcept;

// True for a restore's plan that inserts nothing into `relation`, which is a TVIEW.
absl::StatusOr<bool> IsLeftOutBy(const PlannedStmt* plan, RelationId relation);

// What is to be executed instead of a restore's statement.
struct RestoreStatement {
  PlannedStmt* planned;
  bool is_redundant;  // nothing
};

// Any other statement comes back as it is.
absl::StatusOr<RestoreStatement> AdaptRestore(PlannedStmt* planned);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_RESTORE_SESSION_H_
