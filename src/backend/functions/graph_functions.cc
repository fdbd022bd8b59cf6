// The SQL-callable functions that show how TVIEWs hang together, and what would help them.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "backend/functions/function_values.h"
#include "backend/functions/session_graph.h"
#include "backend/tview/group_states.h"
#include "backend/tview/index_suggestions.h"
#include "backend/tview/names.h"
#include "backend/tview/table_checks.h"
#include "shared/cascade_path.h"
#include "shared/graph_text.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>

PG_FUNCTION_INFO_V1(tviews_graph);
PG_FUNCTION_INFO_V1(tviews_show_cascade_path);
PG_FUNCTION_INFO_V1(tviews_suggest_indexes);
PG_FUNCTION_INFO_V1(tviews_suggest_group_states);
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::StatusOr<std::string> Graph(const std::string& format_name) {
  const std::optional<GraphFormat> format = ParseGraphFormat(format_name);
  if (!format.has_value()) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "unknown graph format \"" + format_name + "\"",
                          .hint = "The formats are mermaid, dot and json."});
  }
  TVIEWS_ASSIGN_OR_RETURN(const DependencyGraph graph, LoadSessionGraph());
  TVIEWS_ASSIGN_OR_RETURN(const RelationNames names, NamesOf(graph));
  return DrawGraph(graph, names, *format);
}

absl::StatusOr<std::vector<pg::SqlRow>> CascadePath(const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(entity));
  TVIEWS_ASSIGN_OR_RETURN(const DependencyGraph graph, LoadSessionGraph());
  std::vector<CascadeStep> steps = FindCascadePath(graph, tview);
  std::stable_sort(steps.begin(), steps.end(), [](const CascadeStep& a, const CascadeStep& b) {
    return a.depth != b.depth ? a.depth < b.depth : a.tview->entity < b.tview->entity;
  });
  std::vector<pg::SqlRow> rows;
  for (const CascadeStep& step : steps) {
    rows.push_back({std::to_string(step.depth), step.tview->entity, DependencyTypeName(step.type)});
  }
  return rows;
}

absl::StatusOr<std::vector<pg::SqlRow>> GroupStateSuggestions(const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(entity));
  // It looks into statistics.
  TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<GroupStateSuggestion> suggestions,
                          SuggestGroupStates(tview));
  std::vector<pg::SqlRow> rows;
  for (const GroupStateSuggestion& suggestion : suggestions) {
    rows.push_back({suggestion.statement, suggestion.reason});
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

absl::StatusOr<std::vector<pg::SqlRow>> Suggestions(const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(entity));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<IndexSuggestion> suggestions, SuggestIndexes(tview));
  std::vector<pg::SqlRow> rows;
  for (const IndexSuggestion& suggestion : suggestions) {
    rows.push_back({suggestion.statement, suggestion.reason});
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace
}  // namespace tviews::backend

namespace backend = tviews::backend;
namespace pg = tviews::pg;

TVIEWS_EXPORT Datum tviews_graph(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string format, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string graph, backend::Graph(format));
    return backend::TextResult(graph);
  });
}

TVIEWS_EXPORT Datum tviews_show_cascade_path(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const auto rows, backend::CascadePath(entity));
    TVIEWS_RETURN_IF_ERROR(backend::ReturnRows(fcinfo, rows));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_suggest_group_states(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const auto rows, backend::GroupStateSuggestions(entity));
    TVIEWS_RETURN_IF_ERROR(backend::ReturnRows(fcinfo, rows));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_suggest_indexes(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const auto rows, backend::Suggestions(entity));
    TVIEWS_RETURN_IF_ERROR(backend::ReturnRows(fcinfo, rows));
    return Datum{0};
  });
}
