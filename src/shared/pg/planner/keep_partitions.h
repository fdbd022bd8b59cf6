// Restricts a level with windows or DISTINCT ON to the whole partitions of the wanted rows.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises; only for use inside the planner
//
// What a window or DISTINCT ON makes of a row depends on the rows of its partition alone. So it is
// enough to read those rows whose partition columns have values that the wanted rows have, for one
// of the windows: the wanted rows get all of every partition of theirs, and the others, which may
// not, are dropped by the condition on the key as before.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_KEEP_PARTITIONS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_KEEP_PARTITIONS_H_

struct List;
struct ParamListInfoData;
struct Query;

namespace tviews::pg {

// What is shared by the rewriting of one statement.
struct Narrowing {
  ParamListInfoData* parameters;  // what is known of them, or null
  int copies_left;                // that may still be made of levels
  List* kept;                     // queries that keep partitions only
  bool is_narrower;               // the statement reads less now
};

// `conditions`: comparisons of the query that reads `subquery` as `entry`, all of which are true
// for wanted rows. False: nothing was done.
bool KeepPartitions(const List* conditions, int entry, Query* subquery, Narrowing* narrowing);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_KEEP_PARTITIONS_H_
