// The group states that a batch would read now, for an evaluator that shows its plans.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_EVALUATOR_KEPT_STATES_H_
#define PG_TVIEWS_WORKER_EVALUATOR_KEPT_STATES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/pg/planner/group_reading.h"
#include "shared/types.h"

namespace tviews::worker {

class KeptStates {
 public:
  // Those of `tview` that may be read, under the active snapshot.
  static absl::StatusOr<KeptStates> Load(RelationId tview);

  // Of this object, which must not move meanwhile.
  std::vector<pg::UsableState> Usable() const;

 private:
  struct State {
    int id = 0;
    std::string body;
    std::vector<RelationId> sources;
  };
  std::vector<State> states_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_EVALUATOR_KEPT_STATES_H_
