#include "backend/tview_redefine.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "backend/defining_query.h"
#include "backend/internal_ddl.h"
#include "backend/source_locks.h"
#include "backend/tview_create.h"
#include "backend/tview_facts.h"
#include "backend/tview_lineage.h"
#include "backend/tview_metadata.h"
#include "backend/tview_names.h"
#include "backend/tview_report.h"
#include "shared/pg/catalog.h"
#include "shared/pg/error.h"
#include "shared/pg/guard.h"
#include "shared/pg/spi.h"
#include "shared/pg/user_scope.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <catalog/namespace.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include "shared/pg/postgres_end.h"

namespace tviews::backend {
namespace {

absl::Status Run(const std::string& sql) { return pg::ExecuteSql(sql).status(); }

absl::Status CheckOwner(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_owner,
                          pg::CallFor([&] { return pg_class_ownercheck(relation, GetUserId()); }));
  if (is_owner) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(relation));
  return pg::MakeError(absl::StatusCode::kPermissionDenied,
                       {.message = "must be owner of " + name});
}

// Fails, naming the differences, unless both have the same columns at the same places.
absl::Status CheckSameColumns(RelationId table, RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "WITH columns AS (SELECT attrelid, attnum, CASE WHEN attisdropped THEN 'a dropped column'"
          " ELSE format('%I %s%s', attname, format_type(atttypid, atttypmod),"
          " CASE WHEN attcollation NOT IN (0, 100) THEN ' COLLATE ' ||"
          " attcollation::regcollation::text ELSE '' END) END AS is"
          " FROM pg_attribute WHERE attrelid IN ($1::oid, $2::oid) AND attnum > 0)"
          " SELECT format('Column %s is %s in the table and %s in the query.', attnum,"
          " coalesce(t.is, 'missing'), coalesce(v.is, 'missing'))"
          " FROM (SELECT * FROM columns WHERE attrelid = $1::oid) AS t"
          " FULL JOIN (SELECT * FROM columns WHERE attrelid = $2::oid) AS v USING (attnum)"
          " WHERE t.is IS DISTINCT FROM v.is ORDER BY attnum",
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

// What a table must not have to become a TVIEW.
absl::Status CheckIsPlainTable(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(table));
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(table));
  std::string reason = is_tview ? "It is a TVIEW already." : "";
  if (reason.empty()) {
    TVIEWS_ASSIGN_OR_RETURN(
        const pg::SqlResult found,
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
    if (!found.rows.empty() && found.rows[0][0].has_value()) reason = *found.rows[0][0];
  }
  if (reason.empty()) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "table " + name + " cannot become a TVIEW",
                        .detail = reason,
                        .sqlstate = "42809"});
}

absl::StatusOr<RelationId> FindInSchema(const TviewName& name, const std::string& relation) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId found, pg::CallFor([&]() -> RelationId {
                            if (name.schema.empty()) return RelnameGetRelid(relation.c_str());
                            const Oid id = LookupExplicitNamespace(name.schema.c_str(), false);
                            return get_relname_relid(relation.c_str(), id);
                          }));
  if (found != 0) return found;
  return pg::MakeError(absl::StatusCode::kNotFound,
                       {.message = "relation \"" + relation + "\" does not exist",
                        .hint = "A table tv_x is converted with the view v_x in its schema as its "
                                "query.",
                        .sqlstate = "42P01"});
}

// Adds the primary key on `column`, or finds that it is there.
absl::Status EnsurePrimaryKey(RelationId table, const std::string& column) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(table));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT array_agg(a.attname)::pg_catalog.text"
                           " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a"
                           " ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])"
                           " WHERE i.indrelid = $1::oid AND i.indisprimary GROUP BY i.indexrelid"
                           " HAVING count(*) <> 1 OR min(a.attname::pg_catalog.text) <> $2"
                           " UNION ALL SELECT NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_index"
                           " WHERE indrelid = $1::oid AND indisprimary)",
                           {std::to_string(table), column}));
  if (found.rows.empty()) {
    return Run("ALTER TABLE " + name + " ADD PRIMARY KEY (" + QuoteIdentifier(column) + ")");
  }
  if (!found.rows[0][0].has_value()) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "the primary key of " + name + " is not on \"" + column + "\"",
                        .hint = "Drop it: the key of the TVIEW becomes the primary key.",
                        .sqlstate = "42P16"});
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

}  // namespace

absl::StatusOr<std::string> ReplaceTview(const std::string& text, const std::string& query) {
  const InternalDdlScope internal;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(text));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery parsed, ParseDefiningQuery(query, {}));
  // Refused by the server where columns are missing or of another name or type.
  TVIEWS_RETURN_IF_ERROR(
      Run("CREATE OR REPLACE VIEW " + facts.view + " AS\n" + parsed.text + "\n"));
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(tview, facts.backing_view));
  TVIEWS_RETURN_IF_ERROR(RederiveLineage(tview));
  TVIEWS_RETURN_IF_ERROR(ReplaceDefinition(tview, parsed.text));
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts replaced, ReadTviewFacts(tview));
  if (replaced.dependencies.empty()) {
    // Nothing would make the applier bring the rows up to date.
    return pg::MakeError(absl::StatusCode::kUnimplemented,
                         {.message = "the new query of a TVIEW must read a table",
                          .hint = "Drop the TVIEW and create it with the constant query."});
  }
  TVIEWS_RETURN_IF_ERROR(NoteSources(replaced.dependencies));
  return RelationDisplayName(tview);
}

absl::StatusOr<std::string> ConvertTable(const std::string& text) {
  const InternalDdlScope internal;
  TVIEWS_ASSIGN_OR_RETURN(const TviewName name, ParseTviewName(text));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, FindInSchema(name, name.table));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(table));
  TVIEWS_ASSIGN_OR_RETURN(const std::string table_name, QualifiedRelationName(table));
  TVIEWS_RETURN_IF_ERROR(Run("LOCK TABLE " + table_name + " IN SHARE ROW EXCLUSIVE MODE"));
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainTable(table));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId view, FindInSchema(name, name.view));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(view));
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(table, view));

  TVIEWS_ASSIGN_OR_RETURN(const std::string definition, ViewText(view));
  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery query, ParseDefiningQuery(definition, {}));
  TVIEWS_ASSIGN_OR_RETURN(const AttributeNumber key, ChooseKey(query, name.entity, ""));
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis, DeriveLineage(query.tree, key));
  TVIEWS_RETURN_IF_ERROR(LockSources(SourcesOf(analysis)));
  const std::string& key_column = query.columns[key - 1].name;
  TVIEWS_RETURN_IF_ERROR(EnsurePrimaryKey(table, key_column));
  TVIEWS_RETURN_IF_ERROR(BindView(view, table));
  TVIEWS_RETURN_IF_ERROR(InsertMetadata({.tview = table,
                                         .backing_view = view,
                                         .entity = name.entity,
                                         .key_column = key_column,
                                         .definition = query.text,
                                         .fill_snapshot = "",
                                         .fill_creator = "",
                                         .analysis = analysis}));
  TVIEWS_RETURN_IF_ERROR(CaptureSources(analysis.sources));
  TVIEWS_RETURN_IF_ERROR(NoteSources(SourcesOf(analysis)));
  TVIEWS_RETURN_IF_ERROR(ReportAnalysis(name, analysis));
  return RelationDisplayName(table);
}

}  // namespace tviews::backend
