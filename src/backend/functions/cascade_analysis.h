// How a document would be refreshed, and what that would set off: plans with their actual costs.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; what a document's query raises is raised
//
// Runs EXPLAIN (ANALYZE, BUFFERS) of each lookup and of each refresh query, as the TVIEW's owner,
// and writes nothing.

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_CASCADE_ANALYSIS_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_CASCADE_ANALYSIS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Lines: for each step what it does, then its plan, indented. Plans of TVIEWs that the caller may
// not read are left out.
absl::StatusOr<std::vector<std::string>> AnalyzeCascade(RelationId tview, const std::string& key);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_CASCADE_ANALYSIS_H_
