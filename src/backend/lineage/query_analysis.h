// From the analysed query of a TVIEW's backing view to its lineage.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; a query that cannot be a TVIEW is refused with detail and hint
//
// In order: expand views, functions in SQL and CTEs (expand.h), refuse what cannot be tracked
// (checks.h), drop what nobody reads (trim.h), number the occurrences of every level (scope.h),
// reduce outer joins and see where conditions lead (joins.h), find how levels are left (exits.h),
// give every occurrence one path towards the key (paths.h), follow and shorten it (route.h), and
// write it as a query (path_sql.h).

#ifndef PG_TVIEWS_BACKEND_LINEAGE_QUERY_ANALYSIS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_QUERY_ANALYSIS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "shared/lineage.h"
#include "shared/types.h"

struct Query;

namespace tviews::backend {

// Columns by which refresh or a lookup finds rows, and which no index serves.
struct SuggestedIndex {
  RelationId relation = 0;
  std::string columns;  // as in CREATE INDEX
  std::string reason;   // the condition that looks rows up
};

// What a definition says of itself beside its query (tview/options.h).
struct AnalysisOptions {
  // pg_tviews.function_reads: what functions read whose bodies cannot be read.
  std::optional<std::vector<RelationId>> function_reads;
  // pg_tviews.clock_period: how often the clock moves on for the definition; 0: it has none.
  std::int64_t clock_period_ms = 0;
  // A TVIEW of before such things were refused: it stays, and is reported as not determined.
  bool is_of_before = false;
};

struct Analysis {
  std::vector<SourceLineage> sources;    // by relation id
  std::vector<RelationId> nested_views;  // plain views that the query reads, at any depth
  bool key_is_not_null = false;
  bool tells_null_keys = false;  // TviewDefinition::tells_null_keys
  // Why the same rows may give different documents, for a NOTICE; empty if they cannot.
  std::vector<std::string> undetermined;
  std::vector<SuggestedIndex> suggested_indexes;
  std::vector<std::string> settings;  // that the result is known to depend on, by name
  std::vector<Oid32> functions;       // of users, on which the query depends by whatever way
  std::int64_t clock_period_ms = 0;   // if the query uses the clock: the declared one, or 1; or 0
  std::string deadlines;              // as a JSON array (lineage/deadlines.h); or empty
  bool functions_read = false;        // some of the sources are read by functions
  // Where an expression over several tables is the key, and no path leads to it: its columns, and
  // names for them as a key of several (lineage/key_advice.h).
  std::string columns_of_key;
  std::string names_for_key;
};

// `query` is the view's query as parse analysis leaves it (or as pg_rewrite holds it), and `key`
// the numbers of the columns of the key in its target list. `is_tview` tells whether a relation is
// a TVIEW.
absl::StatusOr<Analysis> AnalyzeQuery(const Query* query, const std::vector<AttributeNumber>& key,
                                      const AnalysisOptions& options,
                                      absl::FunctionRef<absl::StatusOr<bool>(RelationId)> is_tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_LINEAGE_QUERY_ANALYSIS_H_
