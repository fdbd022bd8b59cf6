// Indexes that refresh and lookups would use if they were there.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// When an index serves is for lineage/index_match.h to say.

#ifndef PG_TVIEWS_BACKEND_TVIEW_INDEX_SUGGESTIONS_H_
#define PG_TVIEWS_BACKEND_TVIEW_INDEX_SUGGESTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/lineage/query_analysis.h"
#include "shared/types.h"

namespace tviews::backend {

struct IndexSuggestion {
  std::string statement;  // CREATE INDEX ...
  std::string reason;
};

absl::StatusOr<IndexSuggestion> DescribeSuggestion(const SuggestedIndex& index);

// What is missing for `tview`: on its sources; and on itself, for TVIEWs that read it and for the
// columns by which readers find documents (id, fk_*).
absl::StatusOr<std::vector<IndexSuggestion>> SuggestIndexes(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_INDEX_SUGGESTIONS_H_
