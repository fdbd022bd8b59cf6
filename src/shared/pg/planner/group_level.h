// Levels of a query that aggregate one table, and how they are read from a group state instead.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises
//
// A group state (worker/refresh/group_states.h) holds a table's rows that pass the level's
// conditions, added up by one column: what can be taken out again exactly. The level stays what it
// is, an aggregation, but over the rows of the state: so its GROUP BY, its correlation and what it
// gives for no rows remain the server's business. Two levels with the same `spec` have the same
// state.
//
// (1) All that a state is made of are immutable functions of the server, over columns of the table.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_LEVEL_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_LEVEL_H_

#include "shared/types.h"

struct Bitmapset;
struct List;
struct Query;

namespace tviews::pg {

struct GroupLevel {
  Query* query;
  int entry;               // of the table in its range table
  RelationId source;       // the table
  AttributeNumber column;  // by which rows are added up; 0: all of them
  TypeId key_type;         // of the column, integer where there is none
  Bitmapset* columns;      // attribute numbers of all that the state is made of
  List* aggregates;        // of Aggref*, distinct
  List* finals;            // of char*, for each of them: its value, of the rows s of a state
  int sums;                // that a row of the state has
  const char* name;        // for people
  // SELECT of the rows of a state, of the named rows of the table with their weights:
  // kWeightedRows has the columns `columns` by their names, and kWeightName.
  const char* spec;
};

inline constexpr char kWeightedRows[] = "pg_tviews_rows";
inline constexpr char kWeightName[] = "pg_tviews_weight";

// A list of GroupLevel*, in the order of the walk. Changes nothing that matters in `query`.
List* FindGroupLevels(Query* query);

// The name of the table that holds the states whose key is of the type `key_type`.
const char* GroupTableFor(TypeId key_type);

// What may be read from states while an object lives.
struct UsableState {
  RelationId source;
  const char* spec;
  int id;
};
class GroupStateUse {
 public:
  // `states`: `count` of them, which outlive the object.
  GroupStateUse(const UsableState* states, int count);
  ~GroupStateUse();
  GroupStateUse(const GroupStateUse&) = delete;
  GroupStateUse& operator=(const GroupStateUse&) = delete;

 private:
  const UsableState* const outer_states_;
  const int outer_count_;
};

// Changes the levels of `query` that have a usable state.
void ReadGroupStates(Query* query);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_LEVEL_H_
