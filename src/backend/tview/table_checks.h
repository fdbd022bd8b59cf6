// What a table and its view must be like to become a TVIEW.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; fails naming the reason

#ifndef PG_TVIEWS_BACKEND_TVIEW_TABLE_CHECKS_H_
#define PG_TVIEWS_BACKEND_TVIEW_TABLE_CHECKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Fails unless the current user owns `relation`.
absl::Status CheckOwner(RelationId relation);

// Fails, naming the differences, unless both have the same columns at the same places.
absl::Status CheckSameColumns(RelationId table, RelationId view);

// Fails if `table` has what would run in the applier or hide rows: triggers, rules, policies.
absl::Status CheckIsPlainTable(RelationId table);

// Fails if `table` says more about its rows than that `key` is not null: refreshes do not ask its
// constraints, but the planner and dumps believe them.
absl::Status CheckPromisesNothing(RelationId table, const std::vector<std::string>& key);

// Fails if `view` has INSTEAD OF triggers, or rules besides its query.
absl::Status CheckIsPlainView(RelationId view);

// The query of `view` as text; fails if it is not a view.
absl::StatusOr<std::string> ViewText(RelationId view);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_TABLE_CHECKS_H_
