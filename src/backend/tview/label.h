// What a dump carries of a TVIEW: a security label on its table.
//
// Layer:   backend
// Sharing: private to one process; pg_seclabel
// Errors:  returns Status; the label provider raises through pg::Enter
//
// The extension's tables hold OIDs, attribute numbers and transaction ids of one database, so none
// of them is dumped. pg_dump writes for each TVIEW an ordinary table, an ordinary view, and
//   SECURITY LABEL FOR pg_tviews ON TABLE tv_x IS '{"entity": ..., "key": ..., "view": ...}'
// (and "options", where there are some; "key" is an array where the key has several columns)
// from which the TVIEW is adopted on the other side (tview/adopt.h). The label goes with its table:
// a dump of a few tables, a schema, or without data is complete by itself.

#ifndef PG_TVIEWS_BACKEND_TVIEW_LABEL_H_
#define PG_TVIEWS_BACKEND_TVIEW_LABEL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// The name of the label provider.
inline constexpr char kLabelProvider[] = "pg_tviews";

// Called once, from _PG_init.
void RegisterLabelProvider();

// Writes the label of `tview` if it differs from the one that is there.
absl::Status WriteLabel(RelationId tview);

// Removes every label of this database: the extension goes.
absl::Status RemoveLabels();

// True if a table of this database has a label.
absl::StatusOr<bool> AnyHasLabel();

// True if `relation` has a label and is no TVIEW: something may have come that it waited for.
absl::StatusOr<bool> AwaitsAdoption(RelationId relation);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_LABEL_H_
