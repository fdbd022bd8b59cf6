// TVIEWs that the applier fills in slices, as sessions see them: what creation notes and says, and
// who may not read them yet.
//
// Layer:   backend
// Sharing: private to one process; reads and writes the extension's own tables
// Errors:  returns Status
//
// The applier's side, and the argument, are in src/worker/batch/online_fills.h.

#ifndef PG_TVIEWS_BACKEND_TVIEW_ONLINE_FILL_H_
#define PG_TVIEWS_BACKEND_TVIEW_ONLINE_FILL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/lineage/query_analysis.h"
#include "shared/types.h"

namespace tviews::backend {

// Has the applier fill `tview`, whose table is called `table` and whose key has `key_columns`
// columns. Where the query cannot be computed for a range of keys, a NOTICE says that it is filled
// in one go.
absl::Status FillOnline(RelationId tview, const std::string& table, std::size_t key_columns,
                        const Analysis& analysis);

// True, with a NOTICE, if a TVIEW whose table is called `table` reads one that is not filled yet:
// it has to be filled after that.
absl::StatusOr<bool> ReadsUnpopulated(const std::string& table, const Analysis& analysis);

// Fails with 55000 if `tview` is a TVIEW that is not filled yet.
absl::Status CheckPopulated(RelationId tview);

// The same for what `tview` reads: before that it cannot be filled either.
absl::Status CheckReadsPopulatedOnly(RelationId tview);

// The same for every TVIEW among the sources of `tview`, unless that is not filled itself. Where
// they are read by one that counts as filled, half of their rows would pass for all.
absl::Status CheckSourcesPopulated(RelationId tview, const Analysis& analysis);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_ONLINE_FILL_H_
