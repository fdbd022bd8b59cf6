// What is left of TVIEWs that are gone: after drops while the module was not loaded, after
// DELETEs from catalogs, after triggers that somebody created by hand.
//
// Layer:   backend
// Sharing: private to one process; tables
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_ORPHANS_H_
#define PG_TVIEWS_BACKEND_TVIEW_ORPHANS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "shared/pg/boundary/spi.h"

namespace tviews::backend {

// Removes metadata, lineage and dead letters of TVIEWs whose table does not exist, and capture
// triggers on tables that no TVIEW reads. One row for each: what it was, and of what.
absl::StatusOr<std::vector<pg::SqlRow>> DropOrphans();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_ORPHANS_H_
