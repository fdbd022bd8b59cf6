#include "backend/tview/redefine.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "backend/ddl/audit_log.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/pinned_names.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/column_exchange.h"
#include "backend/tview/column_upkeep.h"
#include "backend/tview/comments.h"
#include "backend/tview/create.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/facts.h"
#include "backend/tview/group_states.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/online_fill.h"
#include "backend/tview/report.h"
#include "backend/tview/restore_session.h"
#include "backend/tview/shadow.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
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
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::Status Run(const std::string& sql) { return pg::ExecuteCommand(sql); }

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

// A column that the view has and the table has not.
struct AddedColumn {
  std::string name;
  std::string type;  // as SQL, with its collation
};

// Those that come after the table's.
absl::StatusOr<std::vector<AddedColumn>> ColumnsToAdd(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT v.attname, format_type(v.atttypid, v.atttypmod) || coalesce(' COLLATE ' ||"
          " quote_ident(n.nspname) || '.' || quote_ident(c.collname), '') FROM pg_attribute v"
          " JOIN pg_type y ON y.oid = v.atttypid LEFT JOIN pg_collation c"
          " ON c.oid = v.attcollation AND c.oid <> y.typcollation"
          " LEFT JOIN pg_namespace n ON n.oid = c.collnamespace WHERE v.attrelid = $2::oid"
          " AND v.attnum > (SELECT count(*) FROM pg_attribute WHERE attrelid = $1::oid"
          " AND attnum > 0 AND NOT attisdropped) ORDER BY v.attnum",
          {std::to_string(tview.relation), std::to_string(tview.backing_view)}));
  std::vector<AddedColumn> columns;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    AddedColumn added;
    added.name = column.Text();
    added.type = column.Text();
    TVIEWS_RETURN_IF_ERROR(column.End());
    columns.push_back(std::move(added));
  }
  return columns;
}

// Refused where a domain takes no NULL: the rows have their values only after the next batch.
absl::Status AddColumn(const TviewFacts& tview, const AddedColumn& column) {
  absl::Status status = Run("ALTER TABLE " + tview.table + " ADD COLUMN " +
                            QuoteIdentifier(column.name) + " " + column.type);
  if (!pg::HasSqlState(status, "23502") && !pg::HasSqlState(status, "23514")) return status;
  // Still a failure that ends the work, in words that fit what the user asked for.
  return pg::MakeError(absl::StatusCode::kUnimplemented,
                       {.message = "cannot add column \"" + column.name + "\" to TVIEW " +
                                   tview.table + " because its type does not allow NULL",
                        .detail = "The rows that are there get their values with the next batch.",
                        .hint = "Cast the column to the base type of " + column.type +
                                " in the query, or create another TVIEW.",
                        .sqlstate = "0A000"});
}

// Gives the table what the view has more; `are_others`: columns have gone, or are of another type.
// Until the next batch readers wait, as for a new TVIEW;
// a snapshot that is older than this command cannot read the table any more, because it would find
// nothing in the new columns.
absl::Status AddColumns(const TviewFacts& tview, const DefiningQuery& query, bool are_others) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AddedColumn> columns, ColumnsToAdd(tview));
  if (columns.empty() && !are_others) return absl::OkStatus();
  for (const AddedColumn& column : columns) {
    TVIEWS_RETURN_IF_ERROR(AddColumn(tview, column));
  }
  const std::vector<OutputColumn> added(query.columns.end() - static_cast<int>(columns.size()),
                                        query.columns.end());
  TVIEWS_RETURN_IF_ERROR(CompressDocuments(tview.table, added));
  TVIEWS_RETURN_IF_ERROR(CreateLookupIndexes(tview.relation, added, {}));
  TVIEWS_RETURN_IF_ERROR(NoteExchange(tview.relation, true));
  // Their documents have one more field.
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers,
                          ReadersOfWholeRows(tview.relation));
  for (const RelationId reader : readers) TVIEWS_RETURN_IF_ERROR(NoteTview(reader));
  return absl::OkStatus();
}

// The columns of the key of `tview` among those of `query`.
absl::StatusOr<std::vector<AttributeNumber>> KeyIn(const DefiningQuery& query,
                                                   const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string names, KeyAsText(tview.key_columns));
  return ChooseKey(query, tview.entity, names);
}

// Everything that another set of columns needs, at once and before anything else is locked: a
// reader of the TVIEW may be about to write a source.
absl::Status LockForColumns(const TviewFacts& tview, const DefiningQuery& query,
                            const std::vector<RelationId>& readers) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> key, KeyIn(query, tview));
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis, AnalyzeFor(tview.relation, query.tree, key));
  const std::vector<RelationId> sources = SourcesOf(analysis);
  TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> exclusive,
                          SourcesReleasedBy(tview.relation, sources));
  exclusive.push_back(tview.relation);
  exclusive.push_back(tview.backing_view);
  exclusive.insert(exclusive.end(), readers.begin(), readers.end());
  return LockTrees(sources, exclusive);
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

absl::Status CheckKeepsKey(const TviewFacts& tview, const DefiningQuery& query,
                           const std::string& wanted) {
  if (wanted.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> key,
                          ChooseKey(query, tview.entity, wanted));
  if (NamesOf(query, key) == tview.key_columns) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "TVIEW " + tview.table + " has another key",
       .hint = "SELECT pg_tviews_replace(..., online => true, key => ...) changes it.",
       .sqlstate = "42P16"});
}

absl::StatusOr<std::string> ReplaceTview(const std::string& text, const std::string& query,
                                         const std::string& key) {
  const InternalDdlScope internal;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(text));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_RETURN_IF_ERROR(CheckIsNotBeingReplaced(facts));
  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery parsed, ParseDefiningQuery(query, {}));
  TVIEWS_RETURN_IF_ERROR(CheckKeepsKey(facts, parsed, key));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<ColumnShape> wanted, ShapeOfQuery(parsed.tree));
  TVIEWS_ASSIGN_OR_RETURN(ColumnExchange exchange, PlanExchange(facts, wanted));
  std::vector<SavedView> saved;
  if (exchange.changes_any()) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers,
                            ViewsToReadAgain(facts, exchange));
    TVIEWS_RETURN_IF_ERROR(LockForColumns(facts, parsed, readers));
    TVIEWS_ASSIGN_OR_RETURN(exchange, PlanExchange(facts, wanted));
    TVIEWS_RETURN_IF_ERROR(CheckExchange(facts, exchange, readers));
    TVIEWS_ASSIGN_OR_RETURN(saved, TakeAway(facts, readers));
    TVIEWS_RETURN_IF_ERROR(PrepareView(facts, exchange));
  }
  TVIEWS_RETURN_IF_ERROR(
      Run("CREATE OR REPLACE VIEW " + facts.view + " AS\n" + parsed.text + "\n"));
  TVIEWS_RETURN_IF_ERROR(LockMeaningOf(facts.backing_view));
  TVIEWS_RETURN_IF_ERROR(DropAndRetype(facts, exchange));
  TVIEWS_RETURN_IF_ERROR(AddColumns(facts, parsed, exchange.changes_present()));
  TVIEWS_RETURN_IF_ERROR(PutBack(facts, saved));
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(tview, facts.backing_view));
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
  TVIEWS_RETURN_IF_ERROR(ReplaceTview(table, query, "").status());
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
  TVIEWS_RETURN_IF_ERROR(CheckSourcesPopulated(table, analysis));
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
  TVIEWS_RETURN_IF_ERROR(ChooseGroupStates(table, name.table));
  return RelationDisplayName(table);
}

}  // namespace tviews::backend
