// What brings a dropped TVIEW back.
//
// Layer:   backend
// Sharing: private to one process; the audit log
// Errors:  returns Status
//
// Tools drop with CASCADE: a column, and with it every TVIEW that reads it. What a TVIEW consists
// of is therefore noted while it is being dropped, part by part, each before it goes: the query
// when the view's rule is dropped, each index, then the table with its grants and comments.
// FinishDrops (tview/drop.h) writes it into the audit log, from where RestoreDropped takes it.

#ifndef PG_TVIEWS_BACKEND_TVIEW_DROPPED_H_
#define PG_TVIEWS_BACKEND_TVIEW_DROPPED_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Called while the rule of a view, or an index, is being dropped.
absl::Status NoteRuleDrop(Oid32 rule);
absl::Status NoteIndexDrop(RelationId index);

// Called while the table of `tview` is being dropped.
absl::Status NoteTableDrop(RelationId tview);

// All that was noted of `tview`, as a JSON object, which is forgotten then.
absl::StatusOr<std::string> TakeRemains(RelationId tview);

// Forgets what was noted of relations that are still there.
void ForgetRemains();

// Creates the TVIEW that was called `text` when it was dropped, with `query` if it is not empty,
// else with the query that it had, and gives it its indexes, comments and grants, all of it as the
// owner that it had: the caller may be a superuser. Returns its name.
absl::StatusOr<std::string> RestoreDropped(const std::string& text, const std::string& query);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_DROPPED_H_
