#include "backend/functions/cascade_analysis.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "backend/evaluation/evaluator.h"
#include "backend/functions/change_impact.h"
#include "backend/functions/session_graph.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/refresh_plan.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
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

// A refresh statement with its keys written into it.
absl::StatusOr<std::string> WithKeys(const TviewDefinition& tview, RefreshShape shape,
                                     const std::string& values) {
  std::string statement = RefreshStatement(tview, shape);
  if (shape == RefreshShape::kWhole) return statement;
  if (shape == RefreshShape::kLateral || shape == RefreshShape::kJoin) {
    return "WITH pg_tviews_keys (key) AS MATERIALIZED (" + values + ") " + statement;
  }
  // "VALUES (a), (b)" -> "a" or "ARRAY[(a), (b)]".
  const std::string list = values.substr(std::string("VALUES ").size());
  const std::string keys = shape == RefreshShape::kSingle ? list : "ARRAY[" + list + "]";
  return statement.replace(statement.rfind("$1"), 2, keys);
}

// As the applier plans it.
Evaluation Recomputation(const TviewImpact& impact, const std::string& statement) {
  return {.owner = impact.owner,
          .settings = impact.tview->settings,
          .sql = statement,
          .with_batch_costs = impact.strategy != Strategy::kFull,
          .with_key_planning = true};
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
  TVIEWS_ASSIGN_OR_RETURN(const std::string values, KeysAsValues(tview, impact.keys));
  ChosenStatement best;
  if (impact.keys.size() == 1) {
    best.shape = RefreshShape::kSingle;
    TVIEWS_ASSIGN_OR_RETURN(best.text, WithKeys(tview, best.shape, values));
    return best;
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool has_array,
                          pg::CallFor([&] { return OidIsValid(get_array_type(tview.key_type)); }));
  double lowest = std::numeric_limits<double>::infinity();
  for (const RefreshShape shape :
       {RefreshShape::kArray, RefreshShape::kLateral, RefreshShape::kJoin}) {
    if (shape == RefreshShape::kArray && !has_array) continue;
    TVIEWS_ASSIGN_OR_RETURN(std::string text, WithKeys(tview, shape, values));
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
  change.BeginWithKey(tview, key);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<TviewImpact> impacts, change.Follow());
  std::vector<std::string> lines;
  for (const TviewImpact& impact : impacts) {
    TVIEWS_RETURN_IF_ERROR(AppendSteps(impact, &evaluator, &lines));
  }
  TVIEWS_RETURN_IF_ERROR(evaluator.EndSnapshot());
  return lines;
}

}  // namespace tviews::backend
