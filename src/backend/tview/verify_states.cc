#include "backend/tview/verify_states.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backend/tview/names.h"
#include "shared/group_comparison.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/planner/group_slots.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_authid.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/rls.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kDifference[] = "group state";

struct NamedState {
  std::string level;
  std::vector<RelationId> sources;
  ComparedState compared;
};

absl::StatusOr<std::vector<NamedState>> ReadStates(RelationId tview, Evaluator* evaluator) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      evaluator->Run({.sql = "SELECT s.id, s.level, array_to_string(ARRAY(SELECT g.source::oid FROM"
                             " tviews_internal.pg_tview_group_source AS g WHERE g.state = s.id"
                             " ORDER BY g.place), ' "
                             "'), s.key_type::oid, s.key_type::regtype, s.body, s.valued,"
                             " s.places"
                             " FROM tviews_internal.pg_tview_group_state AS s"
                             " JOIN tviews_internal.pg_tview_group_built AS b ON b.state = s.id"
                             " WHERE s.tview = $1::oid ORDER BY s.level, s.id",
                      .parameters = {absl::StrCat(tview)}}));
  std::vector<NamedState> states;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    NamedState state;
    state.compared.id = column.Number<int>();
    state.level = column.Text();
    state.sources = column.Numbers<RelationId>();
    const char* const rows = pg::GroupTableFor(column.Oid());
    state.compared.key_type = column.Text();
    state.compared.spec = column.Text();
    state.compared.valued = column.Text();
    state.compared.places = column.Text();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (rows == nullptr) continue;
    state.compared.rows = absl::StrCat("tviews_internal.", rows);
    for (const RelationId source : state.sources) {
      TVIEWS_ASSIGN_OR_RETURN(state.compared.sources.emplace_back(), QualifiedRelationName(source));
    }
    states.push_back(std::move(state));
  }
  return states;
}

// All rows of all of them: what states hold is not told apart by row.
absl::StatusOr<bool> MayRead(const std::vector<RelationId>& sources) {
  return pg::CallFor([&] {
    return std::all_of(sources.begin(), sources.end(), [](RelationId source) {
      return pg_class_aclcheck(source, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
             check_enable_rls(source, InvalidOid, true) != RLS_ENABLED;
    });
  });
}

}  // namespace

absl::Status VerifyGroupStates(RelationId tview, const DefinitionSettings& settings,
                               Evaluator* evaluator, std::vector<pg::SqlRow>* differences) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_states,
                          pg::HasCatalogTable(pg::CatalogTable::kGroupState));
  if (!has_states) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NamedState> states, ReadStates(tview, evaluator));
  for (const NamedState& state : states) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                            evaluator->Run({.owner = BOOTSTRAP_SUPERUSERID,
                                            .settings = settings,
                                            .sql = GroupDifferences(state.compared, {})}));
    TVIEWS_ASSIGN_OR_RETURN(const bool may_read, MayRead(state.sources));
    for (const pg::SqlRow& row : found.rows) {
      if (!may_read) {
        differences->push_back({state.level, kDifference, std::nullopt, std::nullopt});
        break;
      }
      pg::RowReader column(row);
      const std::optional<std::string> key = column.OptionalText();
      const std::optional<std::string> stored = column.OptionalText();
      const std::optional<std::string> expected = column.OptionalText();
      TVIEWS_RETURN_IF_ERROR(column.End());
      differences->push_back(
          {absl::StrCat(state.level, ": ", key.value_or("null")), kDifference, stored, expected});
    }
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
