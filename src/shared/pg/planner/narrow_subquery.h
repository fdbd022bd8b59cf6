// What a condition on the rows of a subquery says of the rows that it reads.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises; only for use inside the planner
//
// All functions keep the rows of the subquery for which the condition is true, and their values;
// other rows may go, or have other values. A level that groups passes a condition on if it
// compares a grouping column by the equality of the groups: then it is true for whole groups.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_NARROW_SUBQUERY_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_NARROW_SUBQUERY_H_

struct List;
struct Node;
struct Query;

namespace tviews::pg {

struct Narrowing;

// True if `query` returns the rows of its FROM and WHERE one by one.
bool IsOpen(const Query* query);

// The comparison `expr` of the query that reads `subquery` as `entry`, in terms of the rows that
// `subquery` reads. Null if it says nothing of them.
Node* PassOn(Node* expr, int entry, Query* subquery);

// The same for the `branch` of a set operation. Null likewise.
Node* PassOnToBranch(Node* expr, int entry, Query* subquery, int branch);

// The entries of a set operation.
List* BranchesOf(const Query* query);

// Adds conditions to `subquery` so that it reads what `expr`, a comparison of its column with
// another entry of the query that reads it as `entry`, asks for. False: nothing was added.
bool HandDown(Node* expr, int entry, Query* subquery, Narrowing* narrowing);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_NARROW_SUBQUERY_H_
