// Dropping a TVIEW: what has to go besides the objects themselves.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// DROP TABLE, DROP SCHEMA, DROP OWNED and any CASCADE end in the server's object-access hook, which
// can do no more than take a note. After the command the notes are worked off: metadata rows, and
// the capture triggers of sources that no TVIEW reads any more. A note counts only if its relation
// is gone, so those of a command that failed do no harm.

#ifndef PG_TVIEWS_BACKEND_TVIEW_DROP_H_
#define PG_TVIEWS_BACKEND_TVIEW_DROP_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct Node;

namespace tviews::backend {

// Called while `relation` is being dropped; it and its metadata are still there.
absl::Status NoteDrop(RelationId relation);

// Called while a column of `relation` is being dropped, perhaps with its type: whole rows of it are
// others then.
absl::Status NoteColumnDrop(RelationId relation);

// Works off the notes of `statement`, a command of the user that has just run.
absl::Status FinishDrops(const Node* statement);

// Drops the TVIEW called `text`; returns its name. With `if_exists`, a missing one is a NOTICE.
absl::StatusOr<std::string> DropTview(const std::string& text, bool if_exists);

// Makes an ordinary table of `tview`, and of `view`, its backing view, one that stands by itself.
absl::Status ReleaseTview(RelationId tview, RelationId view);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_DROP_H_
