// pg_tviews_explain_query(query, key): the lineage that a query would have as a TVIEW.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include <algorithm>
#include <string>
#include <vector>

#include "backend/functions/function_values.h"
#include "backend/lineage/query_analysis.h"
#include "backend/tview/defining_query.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <funcapi.h>
#include <nodes/execnodes.h>
#include <nodes/parsenodes.h>
#include <parser/analyze.h>
#include <parser/parser.h>
#include <tcop/tcopprot.h>
#include <utils/array.h>
#include <utils/builtins.h>

PG_FUNCTION_INFO_V1(tviews_explain_query);
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// The one SELECT that `text` is, analysed; raises.
Query* ParseSelect(const char* text) {
  List* statements = pg_parse_query(text);
  if (list_length(statements) != 1) {
    ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("one query is expected")));
  }
  Query* query =
      parse_analyze_fixedparams(linitial_node(RawStmt, statements), text, nullptr, 0, nullptr);
  if (query->commandType != CMD_SELECT || query->utilityStmt != nullptr) {
    ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("a SELECT is expected")));
  }
  return query;
}

// The names of the output columns.
std::vector<std::string> OutputNames(const Query* query) {
  std::vector<std::string> names;
  for (int i = 0; i < list_length(query->targetList); ++i) {
    const auto* const entry = static_cast<TargetEntry*>(list_nth(query->targetList, i));
    if (!entry->resjunk) names.emplace_back(entry->resname);
  }
  return names;
}

Datum NumberArray(const std::int16_t* numbers, int count) {
  auto* items = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<std::size_t>(count + 1)));
  for (int i = 0; i < count; ++i) items[i] = Int16GetDatum(numbers[i]);
  return PointerGetDatum(construct_array(items, count, INT2OID, 2, true, TYPALIGN_SHORT));
}

absl::Status PutRow(ReturnSetInfo* result, const SourceLineage& source, const LineagePath& path) {
  std::vector<AttributeNumber> captured;
  for (const CapturedColumn& column : path.captured) captured.push_back(column.attribute);
  const char* strategy = StrategyName(path.strategy);
  return pg::Call([&] {
    Datum values[6] = {ObjectIdGetDatum(source.source),
                       CStringGetTextDatum(strategy),
                       NumberArray(captured.data(), static_cast<int>(captured.size())),
                       NumberArray(path.relevant.data(), static_cast<int>(path.relevant.size())),
                       CStringGetTextDatum(path.lookup.c_str()),
                       CStringGetTextDatum(path.description.c_str())};
    bool nulls[6] = {false, false, false, false, path.lookup.empty(), false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  });
}

absl::StatusOr<Datum> ExplainQuery(FunctionCallInfo fcinfo) {
  Query* query = nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const std::string text, TextArgument(fcinfo, 0));
  TVIEWS_ASSIGN_OR_RETURN(const std::string key_text, TextArgument(fcinfo, 1));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    InitMaterializedSRF(fcinfo, 0);
    query = ParseSelect(text.c_str());
  }));
  const std::vector<std::string> columns = OutputNames(query);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> names, ParseKey(key_text, columns));
  std::vector<AttributeNumber> key;
  for (const std::string& name : names) {
    const auto found = std::find(columns.begin(), columns.end(), name);
    key.push_back(static_cast<AttributeNumber>(found - columns.begin() + 1));
  }
  AnalysisOptions options;
  options.clock_period_ms = 1;  // lineage does not depend on it
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis, AnalyzeQuery(query, key, options, pg::IsTview));
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (const SourceLineage& source : analysis.sources) {
    for (const LineagePath& path : source.paths) {
      TVIEWS_RETURN_IF_ERROR(PutRow(result, source, path));
    }
  }
  return Datum{0};
}

}  // namespace
}  // namespace tviews::backend

TVIEWS_EXPORT Datum tviews_explain_query(PG_FUNCTION_ARGS) {
  return tviews::pg::Enter<Datum>([fcinfo] { return tviews::backend::ExplainQuery(fcinfo); });
}
