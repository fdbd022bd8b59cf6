// What conditions say of the keys of a level.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_KEYS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_KEYS_H_

struct List;
struct Node;

namespace tviews::pg {

struct GroupLevel;

// True if the conditions leave one value of each key from number `first` on; GROUP BY does it for
// those before. So a group of the level has one row of the state for each class: numbers of
// distinct values cannot be added.
bool AreFixed(const GroupLevel* level, int first);

// A list of Var*: the columns that a key is or that the filters say it equals, or those that it is
// made of.
List* ColumnsOfKey(const GroupLevel* level, Node* key);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_KEYS_H_
