// One step of the search for paths: of the members that have no way to the goal yet, the cheapest
// hop to one that has (LINEAGE I1).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_HOPS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_HOPS_H_

#include "backend/lineage/joins.h"

namespace tviews::backend::lineage {

struct Level;

// Which hops are allowed: not to subqueries as a whole, or to these too.
enum class Hops { kToRows, kToAll };
// What it costs more to leave a subquery whose inside cannot follow.
inline constexpr int kDeadEndCost = 5000;

// Has no way to the goal yet, and may still get one.
bool IsWaiting(const Level* level, const Occurrence* member);

// What a hop by `conjunct` costs; null: between a function or VALUES and what it is computed from.
int HopCost(Expr* conjunct, Occurrence* from, const Occurrence* to);

// Dijkstra's step. False: no hop was found.
bool TakeCheapest(Level* level, Hops hops);

// LINEAGE D4: gives the subquery of a sublink a hop by its test, if that leads to the goal.
void FindTestHop(Level* level, Occurrence* member);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_HOPS_H_
