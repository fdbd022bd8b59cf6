// Which levels of a TVIEW's query are kept as group states (worker/refresh/group_states.h).
//
// Layer:   backend
// Sharing: private to one process; tviews_internal.pg_tview_group_state
// Errors:  returns Status
//
// pg_tviews.group_state says it: on, off, or auto, where it is what statistics say of the largest
// group. A level that cannot be kept exactly is recomputed, whatever the option says.

#ifndef PG_TVIEWS_BACKEND_TVIEW_GROUP_STATES_H_
#define PG_TVIEWS_BACKEND_TVIEW_GROUP_STATES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/tview/facts.h"
#include "shared/pg/planner/group_reading.h"
#include "shared/types.h"

namespace tviews::backend {

// Decides for `tview` as it is now, and writes what has changed. Returns the names of its levels
// that are kept, for people.
absl::StatusOr<std::vector<std::string>> SyncGroupStates(RelationId tview);

// The same at creation, and by ALTER TABLE: with a NOTICE for each, about the table called `table`.
absl::Status ChooseGroupStates(RelationId tview, const std::string& table);

// What would be kept of a TVIEW that is being created, for plans.
class PlannedStates {
 public:
  PlannedStates();
  ~PlannedStates();
  PlannedStates(PlannedStates&&) noexcept;
  PlannedStates& operator=(PlannedStates&&) = delete;

  // Of its facts only the owner, the view, the options and the settings are known.
  static absl::StatusOr<PlannedStates> Choose(const TviewFacts& tview);

  // Of this object, which must not move meanwhile.
  std::vector<pg::UsableState> Usable() const;

 private:
  struct State;
  std::vector<State> states_;
};

// Levels of a TVIEW with the option auto that are not kept, though statistics know a large group of
// them now.
struct GroupStateSuggestion {
  std::string statement;
  std::string reason;
};
absl::StatusOr<std::vector<GroupStateSuggestion>> SuggestGroupStates(RelationId tview);

// Of a TVIEW that is dropped, or whose query is not known.
absl::Status RemoveGroupStates(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_GROUP_STATES_H_
