// Reading levels of a query from the group states that there are.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_READING_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_READING_H_

#include "shared/types.h"

struct Query;

namespace tviews::pg {

// What may be read from states while an object lives.
struct UsableState {
  const RelationId* sources;
  int source_count;
  const char* body;
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

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_READING_H_
