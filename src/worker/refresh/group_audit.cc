// The part of GroupStates that the auditor asks for.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/group_comparison.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/status_macros.h"
#include "worker/refresh/group_statements.h"
#include "worker/refresh/group_states.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <utils/builtins.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

absl::StatusOr<std::string> TypeName(TypeId type) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const name,
                          pg::CallFor([&]() -> const char* { return format_type_be(type); }));
  return std::string(name);
}

}  // namespace

bool GroupStates::HasValid(RelationId tview) const {
  return std::any_of(states_.begin(), states_.end(),
                     [&](const State& state) { return state.tview == tview && state.is_valid; });
}

absl::StatusOr<GroupComparison> GroupStates::Compare(const TviewDefinition& tview,
                                                     const GroupPosition& from) {
  GroupComparison comparison;
  const auto state = std::find_if(states_.begin(), states_.end(), [&](const State& candidate) {
    return candidate.tview == tview.relation && candidate.is_valid && candidate.id >= from.state;
  });
  if (state == states_.end()) return comparison;
  TVIEWS_ASSIGN_OR_RETURN(const std::string fingerprint, FingerprintOf(*state));
  if (fingerprint != state->fingerprint) {
    comparison.next = GroupPosition{.state = state->id + 1};
    return comparison;
  }
  comparison.name = absl::StrCat("group state ", state->id);
  TVIEWS_ASSIGN_OR_RETURN(const WrittenState described, Writable(*state));
  ComparedState compared{.id = state->id,
                         .rows = described.rows,
                         .sources = {},
                         .spec = state->texts.body,
                         .valued = state->texts.valued,
                         .key_type = {},
                         .places = state->texts.places};
  for (const GroupTable& table : described.tables) compared.sources.push_back(table.name);
  TVIEWS_ASSIGN_OR_RETURN(compared.key_type, TypeName(state->key_type));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(GetUserId(), tview.settings));
  GroupSlice slice{.has_begin = state->id == from.state && from.after.has_value()};
  pg::SqlParameters bounds;
  if (slice.has_begin) bounds.push_back(*from.after);
  pg::SqlResult end;
  if (HasSlices(compared)) {
    TVIEWS_ASSIGN_OR_RETURN(end, pg::ExecuteSql(SliceEnd(compared, slice.has_begin), bounds));
  }
  slice.has_end = !end.rows.empty();
  comparison.next = GroupPosition{.state = state->id + 1};
  if (slice.has_end) {
    const std::string last = end.rows[0][0].value_or("");
    bounds.push_back(last);
    comparison.next = GroupPosition{.state = state->id, .after = last};
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                          pg::ExecuteSql(GroupDifferences(compared, slice), bounds));
  comparison.differences = found.rows.size();
  return comparison;
}

}  // namespace tviews::worker
