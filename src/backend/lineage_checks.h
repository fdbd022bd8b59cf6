// What a TVIEW's query may not contain, and what makes its result undetermined (LINEAGE J, 26, 28).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_CHECKS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_CHECKS_H_

#include "backend/lineage_scope.h"

namespace tviews::backend::lineage {

// Raises for volatile functions, system columns, TABLESAMPLE, row locks, and sources whose changes
// cannot be tracked. `query` has been expanded.
void RefuseUntrackable(const Query* query);

// Reasons why the same rows may give different results, each once.
void FindUndetermined(const Tree* tree, PlainArray<const char*>* reasons);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_CHECKS_H_
