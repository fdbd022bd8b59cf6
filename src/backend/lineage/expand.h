// A view's query made self-contained: views expanded, CTEs inlined, join aliases and grouped
// columns flattened.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// Afterwards FROM holds relations, subqueries, functions and VALUES only (LINEAGE A). Each
// reference to a CTE becomes a subquery of its own; a recursive CTE becomes a subquery that
// contains the WITH RECURSIVE, so that every subquery without outer references can be read alone.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_EXPAND_H_
#define PG_TVIEWS_BACKEND_LINEAGE_EXPAND_H_

#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

// A changed copy of `query`; adds the plain views in it to `views`, each once.
Query* ExpandQuery(const Query* query, PlainArray<RelationId>* views);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_EXPAND_H_
