#include "worker/evaluator/kept_states.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

namespace tviews::worker {

absl::StatusOr<KeptStates> KeptStates::Load(RelationId tview) {
  KeptStates kept;
  TVIEWS_ASSIGN_OR_RETURN(const bool has_states,
                          pg::HasCatalogTable(pg::CatalogTable::kGroupState));
  if (!has_states) return kept;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSql("SELECT s.id, s.body, array_to_string(ARRAY(SELECT g.source::oid FROM"
                     " tviews_internal.pg_tview_group_source AS g WHERE g.state = s.id ORDER BY"
                     " g.place), ' ') FROM tviews_internal.pg_tview_group_state AS s JOIN"
                     " tviews_internal.pg_tview_group_built AS b ON b.state = s.id WHERE s.tview ="
                     " $1::oid ORDER BY s.id",
                     {absl::StrCat(tview)}));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    State state;
    state.id = column.Number<int>();
    state.body = column.Text();
    state.sources = column.Numbers<RelationId>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    kept.states_.push_back(std::move(state));
  }
  return kept;
}

std::vector<pg::UsableState> KeptStates::Usable() const {
  std::vector<pg::UsableState> usable;
  for (const State& state : states_) {
    usable.push_back({.sources = state.sources.data(),
                      .source_count = static_cast<int>(state.sources.size()),
                      .body = state.body.c_str(),
                      .id = state.id});
  }
  return usable;
}

}  // namespace tviews::worker
