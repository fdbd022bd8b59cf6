// What creating a TVIEW tells the user: how each source is followed, and what to look out for.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_REPORT_H_
#define PG_TVIEWS_BACKEND_TVIEW_REPORT_H_

#include <vector>

#include "absl/status/status.h"
#include "backend/lineage/query_analysis.h"
#include "backend/tview/names.h"
#include "shared/definition_settings.h"

namespace tviews::backend {

// NOTICEs, unless pg_tviews.notice_lineage is off; a WARNING for each foreign table. `settings` are
// those that the TVIEW keeps. `rows_read`: per source, what a change of one row makes a refresh
// read (change_cost.h); empty if unknown. Where that is very much, a WARNING says so.
absl::Status ReportAnalysis(const TviewName& name, const Analysis& analysis,
                            const DefinitionSettings& settings,
                            const std::vector<double>& rows_read);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_REPORT_H_
