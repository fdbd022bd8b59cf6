// The SQL-callable functions about the change of one row: what it would touch, how, and doing it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "backend/capture/note_row.h"
#include "backend/ddl/audit_log.h"
#include "backend/evaluation/evaluator.h"
#include "backend/functions/cascade_analysis.h"
#include "backend/functions/change_impact.h"
#include "backend/functions/function_values.h"
#include "backend/functions/session_graph.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>

PG_FUNCTION_INFO_V1(tviews_analyze_cascade);
PG_FUNCTION_INFO_V1(tviews_cascade);
PG_FUNCTION_INFO_V1(tviews_explain_change);
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// The documents that a refresh of what is affected would recompute.
absl::StatusOr<std::string> CountDocuments(const TviewImpact& impact, Evaluator* evaluator) {
  if (impact.strategy != Strategy::kFull) return std::to_string(impact.keys.size());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult count,
      evaluator->Run({.owner = impact.owner,
                      .settings = impact.tview->settings,
                      .sql = "SELECT count(*) FROM ONLY " + impact.tview->qualified_name}));
  return *count.rows[0][0];
}

absl::StatusOr<std::vector<pg::SqlRow>> ExplainChange(RelationId table, const std::string& key) {
  TVIEWS_RETURN_IF_ERROR(CheckMayReadTable(table));
  TVIEWS_ASSIGN_OR_RETURN(Evaluator evaluator, Evaluator::Start());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<FoundRow> found, FindRowsByKey(table, key, &evaluator));
  TVIEWS_ASSIGN_OR_RETURN(const DependencyGraph graph, LoadSessionGraph());
  ChangeImpact change(graph, &evaluator);
  TVIEWS_RETURN_IF_ERROR(change.BeginWithRows(found));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<TviewImpact> impacts, change.Follow());
  std::vector<pg::SqlRow> rows;
  for (const TviewImpact& impact : impacts) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string documents, CountDocuments(impact, &evaluator));
    rows.push_back({std::to_string(impact.tview->relation), StrategyName(impact.strategy),
                    documents, absl::StrJoin(impact.paths, "; ")});
  }
  TVIEWS_RETURN_IF_ERROR(evaluator.EndSnapshot());
  return rows;
}

absl::StatusOr<std::vector<pg::SqlRow>> Analyze(const std::string& entity, const std::string& key) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(entity));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lines, AnalyzeCascade(tview, key));
  std::vector<pg::SqlRow> rows;
  for (const std::string& line : lines) rows.push_back({line});
  return rows;
}

}  // namespace
}  // namespace tviews::backend

namespace backend = tviews::backend;
namespace pg = tviews::pg;

TVIEWS_EXPORT Datum tviews_explain_change(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(backend::CheckArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string key, backend::TextArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const auto rows, backend::ExplainChange(PG_GETARG_OID(0), key));
    TVIEWS_RETURN_IF_ERROR(backend::ReturnRows(fcinfo, rows));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_analyze_cascade(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string key, backend::TextArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const auto rows, backend::Analyze(entity, key));
    TVIEWS_RETURN_IF_ERROR(backend::ReturnRows(fcinfo, rows));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_cascade(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(backend::CheckArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string key, backend::TextArgument(fcinfo, 1));
    const tviews::RelationId table = PG_GETARG_OID(0);
    TVIEWS_RETURN_IF_ERROR(backend::NoteRow(table, key));
    TVIEWS_ASSIGN_OR_RETURN(const std::string source, backend::QualifiedRelationName(table));
    TVIEWS_RETURN_IF_ERROR(
        backend::RecordAction("CASCADE", "", {{"source", source}, {"row", key}}));
    return Datum{0};
  });
}
