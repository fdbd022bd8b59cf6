// What psql shows about a TVIEW: comments on its table, its key and its view.
//
// Layer:   backend
// Sharing: private to one process; pg_description
// Errors:  returns Status
//
// \dt+ and \dv+ show what the table and the view say: the definition in one line. \d+ of the table
// shows what the key says. A comment of the user's own is left alone, and one that he has removed
// does not come back with another definition.

#ifndef PG_TVIEWS_BACKEND_TVIEW_COMMENTS_H_
#define PG_TVIEWS_BACKEND_TVIEW_COMMENTS_H_

#include <string>

#include "absl/status/status.h"
#include "shared/types.h"

namespace tviews::backend {

// Of a table and a view that become a TVIEW: where they have no comments yet.
absl::Status WriteComments(RelationId tview, RelationId view, const std::string& definition);

// After the definition of `tview` has changed: where the comments are still ours.
absl::Status RenewComments(RelationId tview, RelationId view, const std::string& definition);

// After `tview` has got another key.
absl::Status MoveKeyComments(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_COMMENTS_H_
