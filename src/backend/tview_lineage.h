// The lineage of a TVIEW: derived at creation, and again after DDL on what it reads.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_LINEAGE_H_
#define PG_TVIEWS_BACKEND_TVIEW_LINEAGE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "backend/tview_metadata.h"
#include "shared/types.h"

struct Query;

namespace tviews::backend {

// Analyses `tree`, whose output column `key` identifies a row.
absl::StatusOr<TviewLineage> DeriveLineage(Query* tree, AttributeNumber key);

std::vector<RelationId> SourcesOf(const TviewLineage& lineage);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_LINEAGE_H_
