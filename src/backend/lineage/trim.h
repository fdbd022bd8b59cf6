// Output columns of subqueries that nobody reads, removed: what they are computed from then counts
// neither as a source nor as relevant.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_TRIM_H_
#define PG_TVIEWS_BACKEND_LINEAGE_TRIM_H_

#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

// Changes `query` (expanded) in place: such a column becomes a NULL constant of its type. Columns
// that the subquery itself groups, sorts or compares by stay, and so do all columns of one whose
// number of rows could depend on them.
void TrimUnreadColumns(Query* query);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_TRIM_H_
