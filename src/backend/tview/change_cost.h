// How many rows a change of one row makes a refresh read, as the planner sees it before the fill.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// The plans are those of the applier: of the lookup, and of the recomputation of one key, whichever
// reads more. How many keys a lookup finds is not multiplied in: the planner knows too little of
// it. Of scans what they read is counted, not what they return.

#ifndef PG_TVIEWS_BACKEND_TVIEW_CHANGE_COST_H_
#define PG_TVIEWS_BACKEND_TVIEW_CHANGE_COST_H_

#include <vector>

#include "absl/status/statusor.h"
#include "shared/lineage.h"
#include "shared/pg/planner/group_reading.h"
#include "shared/tview_definition.h"

namespace tviews::backend {

// Of `tview` the names and the key are known. In the order of `sources`. To plan a definition is to
// evaluate parts of it: REQUIRES the definition's owner and settings to be in force.
// `states`: group states that computing a key reads.
absl::StatusOr<std::vector<double>> RowsReadPerChange(const TviewDefinition& tview,
                                                      const std::vector<SourceLineage>& sources,
                                                      const std::vector<pg::UsableState>& states);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_CHANGE_COST_H_
