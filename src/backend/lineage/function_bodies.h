// The bodies of STABLE functions in SQL: as parts of the query that calls them, or by themselves.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// A body is read as the server would read it when it runs: as text under the settings of the
// function and with the rights of its owner where it has them, or as it was analysed when it was
// created. What stands in the query is for lineage only; what runs is the call.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_FUNCTION_BODIES_H_
#define PG_TVIEWS_BACKEND_LINEAGE_FUNCTION_BODIES_H_

#include "backend/lineage/expand.h"

struct FuncExpr;

namespace tviews::backend::lineage {

// A sublink with the same value as `call`, not expanded; null if there is none.
SubLink* SublinkFor(const FuncExpr* call);

// The role as which the queries of the function run that `caller`, or 0 for the TVIEW's owner,
// calls.
RoleId ReaderOf(Oid32 function, RoleId caller);

// Fails if row-level security hides rows of `relation` from `reader`.
void RefuseRowSecurity(RelationId relation, RoleId reader);

// The function whose body `sublink` is, or 0.
Oid32 FunctionOf(const SubLink* sublink);

// A subquery with the same rows as the function that `rte` is, not expanded; null if there is none.
Query* SubqueryFor(const RangeTblEntry* rte);

// The queries of a function that stands beside the query; none of one that is IMMUTABLE, which is
// believed. Raises where nobody knows what it reads, unless the definition declares it.
List* QueriesOf(const CalledFunction& called, Expansion* expansion);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_FUNCTION_BODIES_H_
