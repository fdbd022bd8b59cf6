#include "backend/tview/table_checks.h"

#include <vector>

#include "absl/strings/str_join.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <utils/acl.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

absl::Status CheckOwner(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_owner, pg::CallFor([&] {
                            return pg::compat::OwnsRelation(relation, GetUserId());
                          }));
  if (is_owner) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(relation));
  return pg::MakeError(absl::StatusCode::kPermissionDenied,
                       {.message = "must be owner of " + name});
}

namespace {

// `reasons` is one text, empty if there is nothing against `table`.
absl::Status RefuseFor(RelationId table, const absl::StatusOr<pg::SqlResult>& reasons) {
  TVIEWS_RETURN_IF_ERROR(reasons.status());
  const std::string reason = reasons->rows.empty() ? "" : reasons->rows[0][0].value_or("");
  if (reason.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(table));
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "table " + name + " cannot become a TVIEW",
                        .detail = reason,
                        .sqlstate = "42809"});
}

}  // namespace

absl::Status CheckSameColumns(RelationId table, RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "WITH columns AS (SELECT attrelid, row_number() OVER (PARTITION BY attrelid ORDER BY"
          " attnum) AS place, format('%I %s%s', attname, format_type(atttypid, atttypmod),"
          " CASE WHEN attcollation NOT IN (0, 100) THEN ' COLLATE ' ||"
          " attcollation::regcollation::text ELSE '' END) AS is"
          " FROM pg_attribute WHERE attrelid IN ($1::oid, $2::oid) AND attnum > 0"
          " AND NOT attisdropped)"
          " SELECT format('Column %s is %s in the table and %s in the query.', place,"
          " coalesce(t.is, 'missing'), coalesce(v.is, 'missing'))"
          " FROM (SELECT * FROM columns WHERE attrelid = $1::oid) AS t"
          " FULL JOIN (SELECT * FROM columns WHERE attrelid = $2::oid) AS v USING (place)"
          " WHERE t.is IS DISTINCT FROM v.is ORDER BY place",
          {std::to_string(table), std::to_string(view)}));
  if (found.rows.empty()) return absl::OkStatus();
  std::vector<std::string> differences;
  for (const pg::SqlRow& row : found.rows) differences.push_back(*row[0]);
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "the columns of the table and of the query differ",
                        .detail = absl::StrJoin(differences, " "),
                        .hint = "Create another TVIEW for other columns.",
                        .sqlstate = "42P16"});
}

absl::Status CheckIsPlainTable(RelationId table) {
  return RefuseFor(
      table,
      pg::ExecuteSqlLatest(
          "SELECT pg_catalog.concat_ws(' ',"
          " CASE WHEN relkind <> 'r' OR relispartition THEN 'It is not an ordinary table.' END,"
          " CASE WHEN relpersistence <> 'p' THEN 'It is temporary or unlogged.' END,"
          " CASE WHEN relhastriggers THEN 'It has triggers or foreign keys.' END,"
          " CASE WHEN relhasrules THEN 'It has rules.' END,"
          " CASE WHEN relrowsecurity THEN 'It has row-level security.' END,"
          " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE $1::oid"
          " IN (inhrelid, inhparent)) THEN 'It inherits, or is inherited from.' END)"
          " FROM pg_catalog.pg_class WHERE oid = $1::oid",
          {std::to_string(table)}));
}

absl::Status CheckPromisesNothing(RelationId table, const std::vector<std::string>& key) {
  return RefuseFor(
      table, pg::ExecuteSqlLatest(
                 "SELECT pg_catalog.concat_ws(' ',"
                 " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid"
                 " AND contype IN ('c', 'x')) THEN 'It has CHECK or EXCLUDE constraints.' END,"
                 " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid"
                 " AND attnum > 0 AND NOT attisdropped AND attname <> ALL ($2::name[])"
                 " AND attnotnull)"
                 " THEN 'Columns beside the key are NOT NULL.' END,"
                 " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid"
                 " AND attnum > 0 AND attgenerated <> '') THEN 'It has generated columns.' END)",
                 {std::to_string(table), TextArray(key)}));
}

absl::Status CheckIsPlainView(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT FROM pg_catalog.pg_class c WHERE c.oid = $1::oid AND"
                           " (c.relhastriggers OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r"
                           " WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'))",
                           {std::to_string(view)}));
  if (found.rows.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(view));
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "view " + name + " cannot become the query of a TVIEW",
                        .detail = "It has triggers or rules.",
                        .sqlstate = "42809"});
}

absl::StatusOr<std::string> ViewText(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT pg_catalog.pg_get_viewdef($1::oid)", {std::to_string(view)}));
  const std::string text = found.rows[0][0].value_or("");
  if (!text.empty()) return text;
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "the query of a TVIEW is a view", .sqlstate = "42809"});
}

}  // namespace tviews::backend
