// ALTER TABLE ... ALTER COLUMN ... TYPE of columns that TVIEWs read.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status
//
// Before the command the views through which TVIEWs read the columns are kept as text and taken out
// of the way. After it they are made again (ddl/saved_views.h), those that read the columns first:
// where the type of an output column has changed, the column of the TVIEW's table changes with it,
// and the views that read that one follow. A TVIEW is compared with its query only where values, or
// what the query means, may differ: not where a varchar has become longer.
//
// The table's owner alters; the TVIEW may be another role's. Its table and its views change as
// their owners, in a security-restricted operation, and neither the new type nor a function that is
// found for it may be of a role that could not act as the owner anyway.

#ifndef PG_TVIEWS_BACKEND_DDL_RETYPING_H_
#define PG_TVIEWS_BACKEND_DDL_RETYPING_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct Node;

namespace tviews::backend {

struct Retyping;  // plain bytes in the memory context that was current

// Before the table is locked: readers of views over it lock the view first.
absl::Status LockViewsFirst(const Node* statement);

// Null if `statement` changes no type.
// REQUIRES: the statement has not run, and its names are pinned (ddl/pinned_names.h).
absl::StatusOr<Retyping*> MakeRoomForRetyping(const Node* statement);

// After the command; true if whole rows of the relation, as documents, may differ.
absl::StatusOr<bool> FinishRetyping(Retyping* retyping);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_RETYPING_H_
