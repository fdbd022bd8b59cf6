// What a TVIEW's query may not contain (LINEAGE 25, 26).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_CHECKS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_CHECKS_H_

#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

// Raises for volatile functions, those that depend on a session, system columns, TABLESAMPLE, row
// locks, and sources whose changes cannot be tracked. `query` has been expanded.
void RefuseUntrackable(const Query* query);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_CHECKS_H_
