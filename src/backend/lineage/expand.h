// A view's query made self-contained: views and functions in SQL expanded, CTEs inlined, join
// aliases and grouped columns flattened.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// Afterwards FROM holds relations, subqueries, functions and VALUES only (LINEAGE A). Each
// reference to a CTE becomes a subquery of its own; a recursive CTE becomes a subquery that
// contains the WITH RECURSIVE, so that every subquery without outer references can be read alone.
// A call of a STABLE function in SQL becomes the sublink or the subquery that its body is. What
// cannot stand in the query, such as the functions of an aggregate, is kept beside it.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_EXPAND_H_
#define PG_TVIEWS_BACKEND_LINEAGE_EXPAND_H_

#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

// A query that a function runs, or a view that it reads.
struct FunctionBody {
  Oid32 function;  // or 0
  Query* query;    // expanded
};

// A function of a user that the query calls, and where.
struct CalledFunction {
  Oid32 function;
  Node* call;     // or null
  RoleId caller;  // the owner of a SECURITY DEFINER function around, or 0
};

struct Expansion {
  // The definition says what functions read whose bodies cannot be read (pg_tviews.function_reads).
  bool reads_are_declared = false;
  // Functions that nobody knows what they read are noted instead of refused.
  bool accepts_unknown = false;
  PlainArray<const char*> unknown;    // of those
  PlainArray<RelationId> views;       // plain views, each once
  PlainArray<Oid32> functions;        // of users, that it calls by whatever way, each once
  PlainArray<CalledFunction> called;  // those of them that did not become part of the query
  PlainArray<FunctionBody> bodies;    // of these
  int inlined = 0;
};

// A changed copy of `query`. Refuses functions that nobody knows what they read, unless that is
// accepted.
Query* ExpandQuery(const Query* query, Expansion* expansion);

// The same in place, for the query of a view that functions read: one more body.
void ExpandViewBody(Query* query, Expansion* expansion);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_EXPAND_H_
