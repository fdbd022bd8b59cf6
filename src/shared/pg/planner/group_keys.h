// Whether a level reads one group of its state, or several.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_KEYS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_KEYS_H_

namespace tviews::pg {

struct GroupLevel;

// True if the conditions leave one value of each key from number `first` on; GROUP BY does it for
// those before. So a group of the level has one row of the state for each class: numbers of
// distinct values cannot be added.
bool AreFixed(const GroupLevel* level, int first);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_KEYS_H_
