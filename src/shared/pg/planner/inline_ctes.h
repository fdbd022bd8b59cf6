// Computes the CTEs of a query in each place that names them, instead of once as a whole.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises; only for use inside the planner
//
// REQUIRES: nothing in the query is volatile. Then the rows are the same. Recursive CTEs stay what
// they are.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_INLINE_CTES_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_INLINE_CTES_H_

struct Query;

namespace tviews::pg {

// Changes `query`, but for its own WITH, which names keys. True if the server would have computed
// one of these CTEs as a whole.
bool InlineCtes(Query* query);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_INLINE_CTES_H_
