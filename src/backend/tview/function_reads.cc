#include "backend/tview/function_reads.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <nodes/makefuncs.h>
#include <storage/lockdefs.h>
#include <utils/regproc.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// The parts between commas that stand outside quotes.
std::vector<std::string> Split(absl::string_view text) {
  std::vector<std::string> parts(1);
  bool is_quoted = false;
  for (const char c : text) {
    if (c == '"') is_quoted = !is_quoted;
    if (c == ',' && !is_quoted) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

}  // namespace

absl::StatusOr<std::string> FunctionReadsAsJson(const std::string& text) {
  std::vector<RelationId> relations;
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (!absl::EqualsIgnoreCase(trimmed, "none")) {
    for (const std::string& name : Split(trimmed)) {
      TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([&]() -> RelationId {
                                List* const names = pg::compat::QualifiedNames(name.c_str());
                                return RangeVarGetRelid(makeRangeVarFromNameList(names),
                                                        AccessShareLock, false);
                              }));
      relations.push_back(relation);
    }
  }
  return absl::StrCat("\"function_reads\": [", absl::StrJoin(relations, ", "), "]");
}

std::string WithNames(const std::string& options) {
  return absl::StrCat("(", options, " || CASE WHEN ", options,
                      " ? 'function_reads' THEN jsonb_build_object('function_reads',"
                      " (SELECT coalesce(jsonb_agg(r.id::oid::regclass::text), '[]')"
                      " FROM jsonb_array_elements_text(",
                      options, " -> 'function_reads') AS r (id))) ELSE '{}' END)");
}

absl::StatusOr<std::string> WithIds(const std::string& members) {
  if (!absl::StrContains(members, "\"function_reads\"")) return members;
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT r.value, pg_catalog.to_regclass(r.value)::pg_catalog.oid FROM"
          " pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb -> 'function_reads') AS r",
          {"{" + members + "}"}));
  std::vector<RelationId> relations;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const std::string name = column.Text();
    const std::optional<RelationId> relation = column.OptionalNumber<RelationId>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (!relation.has_value()) {
      return pg::MakeError(absl::StatusCode::kNotFound,
                           {.message = "relation " + name + " does not exist",
                            .detail = "The TVIEW says that its functions read it.",
                            .sqlstate = "42P01"});
    }
    relations.push_back(*relation);
  }
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult changed,
      pg::ExecuteSqlLatest(
          "SELECT pg_catalog.left(pg_catalog.right(($1::pg_catalog.jsonb ||"
          " $2::pg_catalog.jsonb)::pg_catalog.text, -1), -1)",
          {"{" + members + "}",
           absl::StrCat("{\"function_reads\": [", absl::StrJoin(relations, ", "), "]}")}));
  return *changed.rows.at(0)[0];
}

absl::StatusOr<AnalysisOptions> AnalysisOptionsOf(const std::string& members) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT options.value ? 'function_reads',"
                           " options.value ->> 'undetermined' = 'true',"
                           " pg_catalog.array_to_string(ARRAY(SELECT"
                           " pg_catalog.jsonb_array_elements_text(options.value ->"
                           " 'function_reads')), ' '),"
                           " CASE pg_catalog.jsonb_typeof(options.value -> 'clock_period')"
                           " WHEN 'number' THEN options.value ->> 'clock_period' END"
                           " FROM (SELECT $1::pg_catalog.jsonb) AS options (value)",
                           {"{" + members + "}"}));
  pg::RowReader column(found.rows.at(0));
  AnalysisOptions options;
  const bool is_declared = column.IsTrue();
  // Those of before have been reported for what is refused now.
  options.is_of_before = column.IsTrue();
  std::vector<RelationId> relations = column.Numbers<RelationId>();
  options.clock_period_ms = column.OptionalNumber<std::int64_t>().value_or(0);
  TVIEWS_RETURN_IF_ERROR(column.End());
  if (is_declared) options.function_reads = std::move(relations);
  return options;
}

}  // namespace tviews::backend
