// pg_tviews.function_reads: the relations that a definition's functions read, as it declares them.
//
// Layer:   backend
// Sharing: private to one process; pg_tview_meta.options, labels
// Errors:  returns Status
//
// The metadata keep the relations by id, so that they may be renamed; labels name them, because
// they go into dumps.

#ifndef PG_TVIEWS_BACKEND_TVIEW_FUNCTION_READS_H_
#define PG_TVIEWS_BACKEND_TVIEW_FUNCTION_READS_H_

#include <string>

#include "absl/status/statusor.h"
#include "backend/lineage/query_analysis.h"

namespace tviews::backend {

// "none" or a list of names, as the user wrote it, as a member of pg_tview_meta.options.
absl::StatusOr<std::string> FunctionReadsAsJson(const std::string& text);

// The SQL of `options`, an expression, with names instead of ids.
std::string WithNames(const std::string& options);

// Members of a JSON object out of a label, with ids instead of names.
absl::StatusOr<std::string> WithIds(const std::string& members);

// Of the members of pg_tview_meta.options.
absl::StatusOr<AnalysisOptions> AnalysisOptionsOf(const std::string& members);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_FUNCTION_READS_H_
