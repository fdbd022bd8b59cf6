#include "backend/tview/report.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/index_suggestions.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/elog.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Rows that one change makes a refresh read: from so many on it is said, and warned of.
constexpr double kWorthSaying = 10000;
constexpr double kVeryMuch = 100000;

absl::Status Notice(const std::string& message, const std::string& hint = {},
                    const std::string& detail = {}) {
  return pg::Call([&] {
    ereport(NOTICE,
            (errmsg("%s", message.c_str()), detail.empty() ? 0 : errdetail("%s", detail.c_str()),
             hint.empty() ? 0 : errhint("%s", hint.c_str())));
  });
}

// Two digits: it is an estimate.
std::string RoughNumber(double number) {
  double unit = 1;
  while (number / unit >= 100) unit *= 10;
  return absl::StrFormat("%.0f", std::floor(number / unit + 0.5) * unit);
}

absl::Status WarnOfCost(const TviewName& name, RelationId source, double rows_read) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string relation, RelationDisplayName(source));
  const std::string rows = RoughNumber(rows_read);
  return pg::Call([&] {
    ereport(WARNING,
            (errmsg("a change of one row of %s makes TVIEW \"%s\" read about %s rows",
                    relation.c_str(), name.table.c_str(), rows.c_str()),
             errhint("Create the indexes that are missing; pg_tviews_analyze_cascade shows the "
                     "plans. What stands for many rows is recomputed from all of them.")));
  });
}

// Whatever the settings: such a TVIEW may differ from its query for ever.
absl::Status WarnOfForeignTables(const TviewName& name, const std::vector<SourceLineage>& sources) {
  std::vector<RelationId> relations;
  for (const SourceLineage& source : sources) relations.push_back(source.source);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> foreign, ForeignTables(relations));
  for (const RelationId relation : foreign) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(relation));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(WARNING,
              (errmsg("TVIEW \"%s\" does not see remote changes of foreign table %s",
                      name.table.c_str(), table.c_str()),
               errdetail("Only what this server writes through the foreign table is captured, and "
                         "its rows are read as of now, not as of the frontier."),
               errhint("Run pg_tviews_refresh('%s') after remote changes.", name.entity.c_str())));
    }));
  }
  return absl::OkStatus();
}

// Of a source that has no path because an expression over several tables is the key.
std::string KeyHint(const Analysis& analysis) {
  if (analysis.columns_of_key.empty()) return "";
  return "Each change compares all rows. Make " + analysis.columns_of_key +
         " columns of the TVIEW, for instance " + analysis.names_for_key +
         ", and these its key: WITH (pg_tviews.key = " + QuoteLiteral(analysis.names_for_key) +
         ").";
}

absl::Status ReportSource(const TviewName& name, const SourceLineage& source, double rows_read,
                          const std::string& hint) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string relation, RelationDisplayName(source.source));
  std::vector<std::string> paths;
  for (const LineagePath& path : source.paths) {
    if (!path.description.empty()) paths.push_back(path.description);
  }
  return Notice("TVIEW \"" + name.table + "\" follows " + relation + " by " +
                    StrategyName(source.strategy()) + (paths.empty() ? "" : ": ") +
                    absl::StrJoin(paths, "; "),
                hint,
                rows_read < kWorthSaying ? ""
                                         : "A change of one row makes a refresh read about " +
                                               RoughNumber(rows_read) + " rows.");
}

// Those of which it is known that the query's result depends on them.
absl::Status ReportSettings(const TviewName& name, const Analysis& analysis,
                            const DefinitionSettings& settings) {
  std::vector<std::string> texts;
  for (const DefinitionSetting& setting : settings) {
    if (!absl::c_linear_search(analysis.settings, setting.name)) continue;
    texts.push_back(setting.name + " = " + QuoteLiteral(setting.value));
  }
  if (texts.empty()) return absl::OkStatus();
  return Notice("the documents of TVIEW \"" + name.table +
                "\" depend on settings, which it keeps: " + absl::StrJoin(texts, ", "));
}

// Such a TVIEW is what an application meant as a table of its own, more often than not.
absl::Status ReportNothingFollowed(const TviewName& name) {
  return Notice("TVIEW \"" + name.table + "\" follows no table: its rows stay as they are",
                "For an ordinary table, choose another name, or CREATE TABLE with a list of "
                "columns.");
}

// Each index once, though several paths may lack it.
absl::Status ReportIndexes(const std::vector<SuggestedIndex>& indexes) {
  std::vector<std::string> reported;
  for (const SuggestedIndex& index : indexes) {
    TVIEWS_ASSIGN_OR_RETURN(const IndexSuggestion suggestion, DescribeSuggestion(index));
    if (absl::c_linear_search(reported, suggestion.statement)) continue;
    TVIEWS_RETURN_IF_ERROR(Notice(suggestion.reason, suggestion.statement));
    reported.push_back(suggestion.statement);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReportAnalysis(const TviewName& name, const Analysis& analysis,
                            const DefinitionSettings& settings,
                            const std::vector<double>& rows_read) {
  TVIEWS_RETURN_IF_ERROR(WarnOfForeignTables(name, analysis.sources));
  if (!pg::settings::notice_lineage) return absl::OkStatus();
  if (analysis.sources.empty()) TVIEWS_RETURN_IF_ERROR(ReportNothingFollowed(name));
  std::string hint = KeyHint(analysis);
  for (std::size_t i = 0; i < analysis.sources.size(); ++i) {
    const bool is_full = analysis.sources[i].strategy() == Strategy::kFull;
    TVIEWS_RETURN_IF_ERROR(ReportSource(name, analysis.sources[i],
                                        i < rows_read.size() ? rows_read[i] : 0,
                                        is_full ? std::exchange(hint, "") : ""));
  }
  for (const std::string& reason : analysis.undetermined) {
    TVIEWS_RETURN_IF_ERROR(Notice("the rows of TVIEW \"" + name.table +
                                  "\" are not determined by its sources: " + reason));
  }
  TVIEWS_RETURN_IF_ERROR(ReportSettings(name, analysis, settings));
  TVIEWS_RETURN_IF_ERROR(ReportIndexes(analysis.suggested_indexes));
  for (std::size_t i = 0; i < rows_read.size(); ++i) {
    if (rows_read[i] < kVeryMuch) continue;
    TVIEWS_RETURN_IF_ERROR(WarnOfCost(name, analysis.sources[i].source, rows_read[i]));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
