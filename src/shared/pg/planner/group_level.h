// Levels of a query that aggregate tables, and how they are read from a group state instead.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises
//
// A group state (worker/refresh/group_states.h) holds the rows of a table, or of an inner join of
// tables, that pass the level's conditions, added up by columns: what can be taken out again
// exactly. The level stays what it is, an aggregation, but over the rows of the state: so its GROUP
// BY, its correlation and what it gives for no rows remain the server's business. Two levels with
// the same tables and the same `body` have the same state.
//
// Where the aggregates are of the table on the nullable side of an outer join, the state is of this
// table, and takes its place in the join: a row that has no partner has none in the state either.
//
// (1) All that a state is made of are immutable functions of the server, over columns of the
// tables.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_LEVEL_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_LEVEL_H_

#include "shared/types.h"

struct Bitmapset;
struct JoinExpr;
struct List;
struct Node;
struct Query;

namespace tviews::pg {

struct GroupSource {
  int entry;  // in the range table
  RelationId relation;
  Bitmapset* columns;  // attribute numbers of all that the state is made of
};

struct GroupKey {
  Node* expr;            // a column, or what GROUP BY makes of columns
  List* columns;         // of Var*: those that it equals, or that it is made of
  bool depends;          // on the others, by a primary key in GROUP BY
  AttributeNumber slot;  // its column in the table of the state's rows
};

struct GroupLevel {
  Query* query;
  JoinExpr* join;    // whose nullable table is the only source; null: the level reads sources only
  List* sources;     // of GroupSource*
  List* keys;        // of GroupKey*: by which rows are added up; none: all of them together
  TypeId key_type;   // says in which table the rows are
  List* filters;     // of Node*: the conditions that are in the state
  List* conditions;  // of Node*: the others
  List* aggregates;  // of Aggref*, distinct
  List* finals;      // of char*, for each of them: its value, of the rows s of a state
  int sums;          // that a row of the state has
  int extremes;      // likewise
  const char* name;  // for people
  // SELECT of the rows of a state, of the named rows of its tables with their weights: kGroupRows
  // have the columns of the tables by their names, and kWeightName.
  const char* body;
  // The same, which reads all tables but the first by itself.
  const char* spec;
  // What of `body` is the sum of what it is of parts of the rows. Where distinct values are
  // counted, there are also: SELECT of how often each value is in a group, and SELECT of the rows
  // that count them, of values that come and go: kCountedValues has the columns of `valued`, and d,
  // 1 or -1.
  const char* added;
  const char* valued;
  const char* counted;
  // The columns that `body` has after k, c, n, p and m, each after a comma.
  const char* places;
  // Where it has extremes, "m": of a row s of the state to which `excluded` is added, and of one
  // with doubtful extremes, which are found anew in the tables. Otherwise empty.
  const char* merged;
  const char* renewed;
};

inline constexpr char kWeightName[] = "pg_tviews_weight";
inline constexpr char kCountedValues[] = "pg_tviews_values";

// Of the tables of a level, in the order of its sources. None has more.
inline constexpr int kMostSources = 6;
inline constexpr const char* kGroupRows[kMostSources] = {"pg_tviews_rows",   "pg_tviews_rows_2",
                                                         "pg_tviews_rows_3", "pg_tviews_rows_4",
                                                         "pg_tviews_rows_5", "pg_tviews_rows_6"};

// A list of GroupLevel*, in the order of the walk. Changes nothing that matters in `query`.
List* FindGroupLevels(Query* query);

// Fills in the texts of `level`. Only for FindGroupLevels.
void DescribeGroupLevel(GroupLevel* level);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_LEVEL_H_
