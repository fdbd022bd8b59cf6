// Hands the values of the wanted keys down to where the server does not take them.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises; only for use inside the planner
//
// Starting from the conditions that hold the key, the joins of each level are followed. A subquery
// that groups its rows (GROUP BY, DISTINCT, windows, set operations) and is joined by one of its
// grouping columns becomes LATERAL and keeps only the rows with that value; so does one behind IN.
// One with windows or DISTINCT ON over other columns keeps the whole partitions of the wanted rows
// (keep_partitions.h). Every condition stays where it was, so that rows are only left out which it
// would have dropped.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_NARROW_QUERY_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_NARROW_QUERY_H_

struct ParamListInfoData;
struct Query;

namespace tviews::pg {

// Changes `query`, a statement of refresh_plan.h whose views' CTEs are inlined. REQUIRES: nothing
// in it is volatile. True if it reads less now. `parameters`: what is known of them, null if
// nothing.
bool NarrowQuery(Query* query, ParamListInfoData* parameters);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_NARROW_QUERY_H_
