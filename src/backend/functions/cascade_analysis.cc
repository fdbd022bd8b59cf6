#include "backend/functions/cascade_analysis.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "backend/evaluation/evaluator.h"
#include "backend/functions/change_impact.h"
#include "backend/functions/key_text.h"
#include "backend/functions/session_graph.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/refresh_plan.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::StatusOr<bool> MayRead(RelationId relation) {
  return pg::CallFor(
      [&] { return pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK; });
}

// Of keys of one integer column.
std::pair<std::int64_t, std::int64_t> BoundsOf(const std::set<KeyTexts>& keys) {
  std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
  std::int64_t highest = std::numeric_limits<std::int64_t>::min();
  for (const KeyTexts& key : keys) {
    std::int64_t number = 0;
    if (!absl::SimpleAtoi(key.at(0), &number)) continue;
    lowest = std::min(lowest, number);
    highest = std::max(highest, number);
  }
  return {lowest, highest};
}

// As the applier sees to. Of keys of several columns it takes those apart that are neighbours,
// which is not shown.
bool MayBeRange(const TviewDefinition& tview, const std::set<KeyTexts>& keys) {
  if (tview.key.size() > 1 || keys.size() < kSmallestRange) return false;
  const TypeId type = tview.key[0].type;
  if (type != INT2OID && type != INT4OID && type != INT8OID) return false;
  const auto [lowest, highest] = BoundsOf(keys);
  return static_cast<std::uint64_t>(highest) - static_cast<std::uint64_t>(lowest) <
         LargestRange(keys.size());
}

// A refresh statement with its keys written into it.
absl::StatusOr<std::string> WithKeys(const TviewDefinition& tview, RefreshShape shape,
                                     const std::set<KeyTexts>& keys) {
  std::string statement = RefreshStatement(tview, shape);
  const std::vector<std::size_t> whole = WholeKey(tview);
  if (shape == RefreshShape::kLateral || shape == RefreshShape::kJoin) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string values, KeysAsValues(tview, whole, keys));
    return "WITH pg_tviews_keys" + KeyFieldNames(tview, whole) + " AS MATERIALIZED (" + values +
           ") " + statement;
  }
  if (shape == RefreshShape::kRange) {
    const auto [lowest, highest] = BoundsOf(keys);
    const std::int64_t bounds[] = {lowest, highest};
    for (int i = 0; i < 2; ++i) {
      TVIEWS_ASSIGN_OR_RETURN(const std::string value,
                              KeysAsValues(tview, {0}, {{std::to_string(bounds[i])}}));
      const std::string parameter = absl::StrCat("($1)[", i + 1, "]");
      statement.replace(statement.rfind(parameter), parameter.size(),
                        value.substr(std::string("VALUES ").size()));
    }
    return statement;
  }
  // Backwards, because a value may hold what looks like a parameter.
  for (std::size_t i = tview.key.size(); i-- > 0;) {
    std::set<KeyTexts> column;
    for (const KeyTexts& key : keys) column.insert({key.at(i)});
    TVIEWS_ASSIGN_OR_RETURN(const std::string values, KeysAsValues(tview, {i}, column));
    // "VALUES (a), (b)" -> "(a)" or "ARRAY[(a), (b)]".
    const std::string list = values.substr(std::string("VALUES ").size());
    const std::string parameter = "$" + std::to_string(i + 1);
    statement.replace(statement.rfind(parameter), parameter.size(),
                      shape == RefreshShape::kSingle ? list : "ARRAY[" + list + "]");
  }
  return statement;
}

// An array for each of several columns finds others than the keys, as the applier sees to.
absl::StatusOr<bool> MayBeArrays(const TviewDefinition& tview) {
  if (tview.key.size() > 1) return false;
  return pg::CallFor([&] { return OidIsValid(get_array_type(tview.key[0].type)); });
}

// As the applier plans it.
Evaluation Recomputation(const TviewImpact& impact, const std::string& statement) {
  return {.owner = impact.owner,
          .settings = impact.tview->settings,
          .sql = statement,
          .with_batch_costs = impact.strategy != Strategy::kFull,
          .with_key_planning = true,
          .with_states_of = impact.strategy != Strategy::kFull ? impact.tview->relation : 0};
}

struct ChosenStatement {
  RefreshShape shape = RefreshShape::kWhole;
  std::string text;
};

// As the refresh executor chooses: by the planner's cost, if there is more than one key.
absl::StatusOr<ChosenStatement> ChooseStatement(const TviewImpact& impact, Evaluator* evaluator) {
  const TviewDefinition& tview = *impact.tview;
  if (impact.strategy == Strategy::kFull) {
    return ChosenStatement{RefreshShape::kWhole, RefreshStatement(tview, RefreshShape::kWhole)};
  }
  ChosenStatement best;
  if (impact.keys.size() == 1) {
    best.shape = RefreshShape::kSingle;
    TVIEWS_ASSIGN_OR_RETURN(best.text, WithKeys(tview, best.shape, impact.keys));
    return best;
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool has_array, MayBeArrays(tview));
  double lowest = std::numeric_limits<double>::infinity();
  for (const RefreshShape shape :
       {RefreshShape::kRange, RefreshShape::kArray, RefreshShape::kLateral, RefreshShape::kJoin}) {
    if (shape == RefreshShape::kRange && !MayBeRange(tview, impact.keys)) continue;
    if (shape == RefreshShape::kArray && !has_array) continue;
    TVIEWS_ASSIGN_OR_RETURN(std::string text, WithKeys(tview, shape, impact.keys));
    TVIEWS_ASSIGN_OR_RETURN(const double cost, evaluator->CostOf(Recomputation(impact, text)));
    if (cost >= lowest) continue;
    lowest = cost;
    best = {shape, std::move(text)};
  }
  return best;
}

absl::Status AppendPlan(Evaluation statement, Evaluator* evaluator,
                        std::vector<std::string>* lines) {
  statement.sql.insert(0, "EXPLAIN (ANALYZE, BUFFERS) ");
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult plan, evaluator->Run(statement));
  for (const pg::SqlRow& row : plan.rows) lines->push_back("  " + row[0].value_or(""));
  return absl::OkStatus();
}

absl::Status AppendSteps(const TviewImpact& impact, Evaluator* evaluator,
                         std::vector<std::string>* lines) {
  const TviewDefinition& tview = *impact.tview;
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview.relation));
  TVIEWS_ASSIGN_OR_RETURN(const bool may_read, MayRead(tview.relation));
  if (!may_read) {
    lines->push_back("Refresh of " + name + ": permission denied");
    return absl::OkStatus();
  }
  for (const KeyQuery& query : impact.queries) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string source, RelationDisplayName(query.source));
    lines->push_back("Lookup of keys of " + name + " from " + source + " by " + query.description);
    TVIEWS_RETURN_IF_ERROR(AppendPlan({.owner = impact.owner,
                                       .settings = tview.settings,
                                       .sql = query.statement,
                                       .with_batch_costs = true},
                                      evaluator, lines));
  }
  if (impact.keys.empty() && impact.strategy != Strategy::kFull) {
    lines->push_back("Refresh of " + name + ": no keys");
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(const ChosenStatement chosen, ChooseStatement(impact, evaluator));
  lines->push_back(
      absl::StrCat("Refresh of ", name, ": ",
                   impact.strategy == Strategy::kFull ? "all" : absl::StrCat(impact.keys.size()),
                   impact.keys.size() == 1 ? " key" : " keys", ", statement shape ",
                   RefreshShapeName(chosen.shape)));
  return AppendPlan(Recomputation(impact, chosen.text), evaluator, lines);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> AnalyzeCascade(RelationId tview, const std::string& key) {
  TVIEWS_ASSIGN_OR_RETURN(const bool may_read, MayRead(tview));
  if (!may_read) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
    return pg::MakeError(absl::StatusCode::kPermissionDenied,
                         {.message = "permission denied for table " + name});
  }
  TVIEWS_ASSIGN_OR_RETURN(const DependencyGraph graph, LoadSessionGraph());
  TVIEWS_ASSIGN_OR_RETURN(Evaluator evaluator, Evaluator::Start());
  ChangeImpact change(graph, &evaluator);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> columns, KeyColumnsOf(tview));
  TVIEWS_ASSIGN_OR_RETURN(const KeyTexts texts, SplitKeyText(key, columns));
  change.BeginWithKey(tview, texts);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<TviewImpact> impacts, change.Follow());
  std::vector<std::string> lines;
  for (const TviewImpact& impact : impacts) {
    TVIEWS_RETURN_IF_ERROR(AppendSteps(impact, &evaluator, &lines));
  }
  TVIEWS_RETURN_IF_ERROR(evaluator.EndSnapshot());
  return lines;
}

}  // namespace tviews::backend
