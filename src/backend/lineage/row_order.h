// Whether the rows of a level come in one order only, and which sorts leave nothing open.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_ROW_ORDER_H_
#define PG_TVIEWS_BACKEND_LINEAGE_ROW_ORDER_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// Adds the expressions of sort clauses over `targets`, in global form.
void AddSortKeys(const Scope* scope, List* clauses, List* targets, PlainArray<Expr*>* keys);

// True if rows of the level that the clauses leave equal are not there, or are the same.
bool IsTotalSort(const Scope* scope, List* clauses);

// The same for its ORDER BY, also that of DISTINCT ON, after which only the outputs are left.
bool IsTotalOrderBy(const Scope* scope);

// True if an aggregate, or an array, of the level's rows gets them in one order: they are those of
// one subquery that is ordered to the last row, and nothing here sorts them anew.
bool GetsOrderedInput(const Scope* scope);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_ROW_ORDER_H_
