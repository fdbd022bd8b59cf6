// Conditions on one row alone: a version of the row that does not meet them concerns nobody.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// Every combination of rows in a result, old or new, contains only versions that meet the
// conditions of their occurrence. So a version that does not has no part in any, and names no key
// there; each version in a delta, old or new, is tested by itself. That holds for conditions of
// WHERE, of inner joins, and of the ON of an outer join for rows of its nullable side; and only if
// no outer join further down can put NULLs in the place of the row, because then the row counts by
// being there.
//
// A lookup tests rows that the query itself might never come to test, for instance because another
// condition excludes them. So only conditions are followed that cannot fail.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_FILTERS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_FILTERS_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// The conditions on rows of `occurrence` alone, as expressions over `varno` (a list of Node).
List* FiltersOf(const Occurrence* occurrence, int varno);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_FILTERS_H_
