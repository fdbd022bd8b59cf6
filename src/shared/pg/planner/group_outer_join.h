// Outer joins with a table that only aggregates read.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_OUTER_JOIN_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_OUTER_JOIN_H_

struct JoinExpr;
struct Query;

namespace tviews::pg {

// The only outer join of the level, a left one, if one entry is on its nullable side, and nothing
// in the join tree but its condition reads this entry; otherwise null. Columns of joins are
// resolved.
JoinExpr* OuterJoinOf(Query* query);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_OUTER_JOIN_H_
