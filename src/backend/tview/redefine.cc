#include "backend/tview/redefine.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "backend/ddl/audit_log.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/pinned_names.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/comments.h"
#include "backend/tview/create.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/facts.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/report.h"
#include "backend/tview/restore_session.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::Status Run(const std::string& sql) { return pg::ExecuteSql(sql).status(); }

absl::Status IsTviewAlready(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(table));
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "table " + name + " cannot become a TVIEW",
                        .detail = "It is a TVIEW already.",
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
                                "query. To begin with any other relation, CREATE TABLE tv_x AS "
                                "SELECT ... FROM it.",
                        .sqlstate = "42P01"});
}

// Adds the primary key on `columns`, or finds that it is there.
absl::Status EnsurePrimaryKey(RelationId table, const std::vector<std::string>& columns) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(table));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT bool_and(a.attname = ANY ($2::name[])) AND count(*) = cardinality($2::name[])"
          " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a"
          " ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])"
          " WHERE i.indrelid = $1::oid AND i.indisprimary GROUP BY i.indexrelid",
          {std::to_string(table), TextArray(columns)}));
  std::string list;
  for (const std::string& column : columns) {
    list += (list.empty() ? "" : ", ") + QuoteIdentifier(column);
  }
  if (found.rows.empty()) return Run("ALTER TABLE " + name + " ADD PRIMARY KEY (" + list + ")");
  if (found.rows[0][0] == "t") return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "the primary key of " + name + " is not on " + list,
                        .hint = "Drop it: the key of the TVIEW becomes the primary key.",
                        .sqlstate = "42P16"});
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
  TVIEWS_RETURN_IF_ERROR(LockMeaningOf(facts.backing_view));
  TVIEWS_RETURN_IF_ERROR(RederiveLineage(tview));
  TVIEWS_RETURN_IF_ERROR(ReplaceDefinition(tview, parsed.text));
  TVIEWS_RETURN_IF_ERROR(RenewComments(tview, facts.backing_view, parsed.text));
  TVIEWS_RETURN_IF_ERROR(NoteTview(tview));
  TVIEWS_RETURN_IF_ERROR(RecordActionOn("REPLACE", tview, {{"definition", parsed.text}}));
  return RelationDisplayName(tview);
}

absl::StatusOr<RelationId> TviewReplacedBy(const ViewStmt* statement) {
  if (InternalDdlScope::IsOpen() || IsRestoring() || !statement->replace ||
      statement->aliases != nullptr || statement->options != nullptr ||
      statement->withCheckOption != NO_CHECK_OPTION) {
    return RelationId{0};
  }
  TVIEWS_ASSIGN_OR_RETURN(const RelationId view, ReplacedView(statement));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, pg::TviewOfBackingView(view));
  if (tview == 0) return RelationId{0};
  return pg::CallFor([tview]() -> RelationId {
    return pg::compat::OwnsRelation(tview, GetUserId()) ? tview : InvalidOid;
  });
}

absl::StatusOr<bool> ReplaceByView(const ViewStmt* statement, std::string_view text) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, TviewReplacedBy(statement));
  if (tview == 0) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::string query, QueryTextOfCreateTableAs(text));
  if (query.empty()) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, QualifiedRelationName(tview));
  TVIEWS_RETURN_IF_ERROR(ReplaceTview(table, query).status());
  return true;
}

absl::StatusOr<std::string> ConvertTable(const std::string& text, const std::string& wanted_key) {
  const InternalDdlScope internal;
  TVIEWS_ASSIGN_OR_RETURN(const TviewName name, ParseTviewName(text));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, FindInSchema(name, name.table));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(table));
  TVIEWS_ASSIGN_OR_RETURN(const std::string table_name, QualifiedRelationName(table));
  TVIEWS_RETURN_IF_ERROR(Run("LOCK TABLE " + table_name + " IN SHARE ROW EXCLUSIVE MODE"));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(table));
  if (is_tview) return IsTviewAlready(table);
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainTable(table));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId view, FindInSchema(name, name.view));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(view));
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainView(view));
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(table, view));

  TVIEWS_RETURN_IF_ERROR(LockMeaningOf(view));
  TVIEWS_ASSIGN_OR_RETURN(const std::string definition, ViewText(view));
  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery query, ParseDefiningQuery(definition, {}));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> key,
                          ChooseKey(query, name.entity, wanted_key));
  TVIEWS_ASSIGN_OR_RETURN(const DefinitionSettings settings, pg::SettingsInForce());
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis, DeriveLineage(query.tree, key, {}));
  TVIEWS_RETURN_IF_ERROR(LockSources(SourcesOf(analysis)));
  const std::vector<std::string> key_columns = NamesOf(query, key);
  TVIEWS_RETURN_IF_ERROR(EnsurePrimaryKey(table, key_columns));
  TVIEWS_RETURN_IF_ERROR(CheckPromisesNothing(table, key_columns));
  TVIEWS_RETURN_IF_ERROR(BindView(view, table));
  TVIEWS_RETURN_IF_ERROR(DependOnFunctions(view, analysis));
  TVIEWS_RETURN_IF_ERROR(InsertMetadata({.tview = table,
                                         .backing_view = view,
                                         .entity = name.entity,
                                         .key_columns = key_columns,
                                         .definition = query.text,
                                         .fill_snapshot = "",
                                         .fill_creator = "",
                                         .options = "",
                                         .settings = settings,
                                         .analysis = analysis}));
  TVIEWS_RETURN_IF_ERROR(CaptureSources(analysis.sources));
  TVIEWS_RETURN_IF_ERROR(NoteTview(table));
  TVIEWS_ASSIGN_OR_RETURN(const std::string key_text, KeyAsText(key_columns));
  TVIEWS_RETURN_IF_ERROR(
      RecordActionOn("CONVERT", table, {{"definition", query.text}, {"key", key_text}}));
  TVIEWS_RETURN_IF_ERROR(ReportAnalysis(name, analysis, settings, {}));
  return RelationDisplayName(table);
}

}  // namespace tviews::backend
