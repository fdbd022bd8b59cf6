// Paths through a recursive CTE: along the recursion to its output, or back to where it started.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// A row that a recursive CTE returns ends a chain: a row of the non-recursive term, then one row of
// the recursive term's table per step. A changed row concerns the chains through it. Forward, the
// lookup follows the steps from the changed row to all ends, whose columns lead on; backward, to
// all beginnings, from where a condition leads out of the CTE (LINEAGE D1). Either way it is a
// recursion itself, by UNION over the columns that the steps compare and nothing else, so that it
// ends even where the query's own depth or path columns would not (LINEAGE H). Along a chain the
// changed row nearest to the goal has unchanged rows before it: LINEAGE I1 holds.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_RECURSION_H_
#define PG_TVIEWS_BACKEND_LINEAGE_RECURSION_H_

#include "backend/lineage/exits.h"

namespace tviews::backend::lineage {

struct Level;

struct Recursion {
  Occurrence* self = nullptr;          // the CTE's own name in the recursive term
  Occurrence* step = nullptr;          // the table that a step adds
  PlainArray<Expr*> conditions;        // between the two
  ExitRequest compared;                // columns of `self` that the conditions compare
  PlainArray<Expr*> compared_in_step;  // the same columns as the recursive term returns them

  // The columns that the lookup's recursion carries. Forward: of the CTE. Backward: of `step`.
  ExitRequest carried;
  PlainArray<Expr*> carried_in_step;  // over `step`

  // Backward only: the table of the non-recursive term, and the compared columns over it.
  Occurrence* start = nullptr;
  Level* start_level = nullptr;
  PlainArray<Expr*> compared_in_start;
};

// `cte` is the scope of a recursive CTE's query. Null if its steps cannot be followed; otherwise
// adds the columns that the steps compare to `request`.
Recursion* PlanForward(const Scope* cte, ExitRequest* request);

// The same towards the beginning: all but `start_level` is filled in.
Recursion* PlanBackward(const Scope* cte);

// True if every step hands the columns on as they are, so that the start of a chain determines
// them, and the start can be left by them.
bool PassesThrough(const Scope* cte, const ExitRequest& request);

// True if paths from inside the CTE can leave it by the columns, forward or by way of the start.
bool CanLeaveRecursion(const Scope* cte, const ExitRequest& request);

// The branch of `cte` that is its recursive term, or null if that is no plain SELECT.
Occurrence* RecursiveTerm(const Scope* cte);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_RECURSION_H_
