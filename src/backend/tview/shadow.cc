#include "backend/tview/shadow.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "backend/ddl/audit_log.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/tview/create.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/names.h"
#include "backend/tview/online_fill.h"
#include "backend/tview/shadow_exchange.h"
#include "backend/tview/shadow_indexes.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/definition_clock.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/pg_class.h>
#include <miscadmin.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kSuffix[] = "__new";

absl::StatusOr<RelationId> Ask(const char* column, const char* condition, RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_here, pg::HasCatalogTable(pg::CatalogTable::kReplacement));
  if (!is_here) return RelationId{0};
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kReplacement));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(absl::StrCat("SELECT ", column, "::oid FROM ", table, " WHERE ",
                                        condition, " = $1::oid AND exchanged_at IS NULL"),
                           {std::to_string(relation)}));
  return found.rows.empty() ? RelationId{0} : pg::RowReader(found.rows[0]).Oid();
}

absl::Status CannotReplace(const TviewFacts& tview, const std::string& detail,
                           const std::string& hint) {
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot replace TVIEW " + tview.table,
                        .detail = detail,
                        .hint = hint,
                        .sqlstate = "55000"});
}

// The columns of the shadow's table: those of the query where they will stand, and gaps.
absl::StatusOr<std::vector<std::string>> PlacesFor(const TviewFacts& tview,
                                                   const ColumnExchange& exchange) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT attnum, attisdropped FROM pg_attribute WHERE attrelid = $1::oid"
                           " AND attnum > 0 ORDER BY attnum",
                           {std::to_string(tview.relation)}));
  std::vector<std::string> places;
  std::size_t next = 0;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const auto number = column.Number<AttributeNumber>();
    const bool is_gone = column.IsTrue();
    TVIEWS_RETURN_IF_ERROR(column.End());
    const bool goes = absl::c_any_of(
        exchange.dropped, [&](const NumberedColumn& dropped) { return dropped.number == number; });
    places.push_back(is_gone || goes ? "" : exchange.wanted.at(next++).name);
  }
  for (; next < exchange.wanted.size(); ++next) places.push_back(exchange.wanted[next].name);
  return places;
}

// How its table is stored.
absl::StatusOr<TableStorage> StorageOf(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT a.amname, s.spcname, c.relpersistence = 'p' FROM pg_class c"
                           " LEFT JOIN pg_am a ON a.oid = c.relam LEFT JOIN pg_tablespace s ON"
                           " s.oid = c.reltablespace WHERE c.oid = $1::oid",
                           {std::to_string(table)}));
  pg::RowReader column(found.rows.at(0));
  TableStorage storage;
  storage.access_method = column.TextOrNothing();
  storage.tablespace = column.TextOrNothing();
  const bool is_permanent = column.IsTrue();
  TVIEWS_RETURN_IF_ERROR(column.End());
  if (!is_permanent) {
    return pg::MakeError(absl::StatusCode::kUnimplemented,
                         {.message = "a TVIEW that is not logged cannot be replaced online",
                          .hint = "Replace it without online => true.",
                          .sqlstate = "0A000"});
  }
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult options,
      pg::ExecuteSqlLatest("SELECT format('%s = %L', o.option_name, o.option_value),"
                           " o.option_name = 'fillfactor' FROM pg_class c,"
                           " pg_options_to_table(c.reloptions) AS o WHERE c.oid = $1::oid",
                           {std::to_string(table)}));
  for (const pg::SqlRow& row : options.rows) {
    pg::RowReader option(row);
    storage.options.push_back(option.Text());
    storage.has_fillfactor |= option.IsTrue();
    TVIEWS_RETURN_IF_ERROR(option.End());
  }
  return storage;
}

absl::StatusOr<TviewName> NameOfShadow(const TviewFacts& tview) {
  TviewName name;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON"
                           " n.oid = c.relnamespace WHERE c.oid = $1::oid",
                           {std::to_string(tview.relation)}));
  pg::RowReader column(found.rows.at(0));
  name.schema = column.Text();
  const std::string table = column.Text();
  TVIEWS_RETURN_IF_ERROR(column.End());
  const bool fits =
      std::max(table.size(), tview.entity.size() + 2) + sizeof(kSuffix) <= NAMEDATALEN;
  name.entity = fits ? tview.entity + kSuffix : absl::StrCat("tview_", tview.relation, kSuffix);
  name.table = fits ? table + kSuffix : "tv_" + name.entity;
  name.view = "v_" + name.entity;
  return name;
}

// It is in the TVIEW's lane, whatever its query reads.
absl::StatusOr<std::string> WithLane(const std::string& options) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT pg_catalog.jsonb_exists($1::pg_catalog.jsonb, 'lane')",
                           {"{" + options + "}"}));
  if (pg::RowReader(found.rows.at(0)).IsTrue()) return options;
  return absl::StrCat(options, options.empty() ? "" : ", ", R"("lane": ")", kMainLane, R"(")");
}

// What the TVIEW becomes must not read itself, by way of TVIEWs that read it.
absl::Status CheckReadsNothingBelow(const TviewFacts& tview, RelationId shadow) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat("WITH RECURSIVE below (tview) AS (SELECT $1::oid UNION SELECT m.tview::oid"
                       " FROM ",
                       meta,
                       " m JOIN below ON below.tview = ANY (m.dependencies))"
                       " SELECT below.tview::regclass FROM below JOIN ",
                       meta,
                       " m ON m.tview = $2::oid AND below.tview = ANY (m.dependencies) LIMIT 1"),
          {std::to_string(tview.relation), std::to_string(shadow)}));
  if (found.rows.empty()) return absl::OkStatus();
  return CannotReplace(
      tview, "Its query would read itself, by way of " + found.rows[0][0].value_or("") + ".",
      "Let the query read the tables that these read.");
}

// The clock's is derived from the query.
DefinitionSettings WithoutClock(DefinitionSettings settings) {
  std::erase_if(settings, [](const DefinitionSetting& set) { return set.name == kClockSetting; });
  return settings;
}

absl::StatusOr<TviewRequest> RequestFor(const TviewFacts& tview, const std::string& query,
                                        const std::string& key, const ColumnExchange& exchange) {
  TviewRequest request;
  TVIEWS_ASSIGN_OR_RETURN(request.name, NameOfShadow(tview));
  request.query = query;
  request.key = key;
  TVIEWS_ASSIGN_OR_RETURN(request.storage, StorageOf(tview.relation));
  TVIEWS_ASSIGN_OR_RETURN(request.places, PlacesFor(tview, exchange));
  TVIEWS_ASSIGN_OR_RETURN(request.options, WithLane(tview.options));
  request.settings = WithoutClock(tview.settings);
  request.with_no_data = true;
  return request;
}

std::vector<AttributeNumber> NumbersOf(const std::vector<NumberedColumn>& columns) {
  std::vector<AttributeNumber> numbers;
  for (const NumberedColumn& column : columns) numbers.push_back(column.number);
  return numbers;
}

// (2)
absl::Status GoWith(RelationId shadow, RelationId tview) {
  return pg::Call([=] {
    const ObjectAddress dependent = {RelationRelationId, shadow, 0};
    const ObjectAddress owner = {RelationRelationId, tview, 0};
    recordDependencyOn(&dependent, &owner, DEPENDENCY_AUTO);
    CommandCounterIncrement();
  });
}

absl::Status StoreReplacement(RelationId shadow, RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kReplacement));
  return pg::ExecuteSqlLatest("INSERT INTO " + table + " (shadow, tview) VALUES ($1::oid, $2::oid)",
                              {std::to_string(shadow), std::to_string(tview)})
      .status();
}

absl::Status TellBeginning(const std::string& name, const std::string& shadow) {
  const std::string quoted = QuoteLiteral(name);
  return pg::Call([&] {
    ereport(NOTICE, (errmsg("TVIEW %s stays as it is until it is replaced", name.c_str()),
                     errdetail("The rows of the new query are computed in %s.", shadow.c_str()),
                     errhint("pg_tviews_progress shows how far that is; SELECT "
                             "pg_tviews_replace_finish(%s) then puts them in place.",
                             quoted.c_str())));
  });
}

}  // namespace

absl::Status LockAgainstDdl(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(tview));
  return pg::ExecuteCommand("LOCK TABLE " + name + " IN SHARE UPDATE EXCLUSIVE MODE");
}

absl::StatusOr<RelationId> ShadowOf(RelationId tview) { return Ask("shadow", "tview", tview); }

absl::StatusOr<RelationId> TviewShadowedBy(RelationId relation) {
  return Ask("tview", "shadow", relation);
}

absl::Status CheckIsNotBeingReplaced(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId shadow, ShadowOf(tview.relation));
  if (shadow != 0) {
    return CannotReplace(tview, "It is being replaced already.",
                         "pg_tviews_replace_finish() completes that, pg_tviews_replace_cancel() "
                         "gives it up.");
  }
  TVIEWS_ASSIGN_OR_RETURN(const RelationId original, TviewShadowedBy(tview.relation));
  if (original == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(original));
  return CannotReplace(tview, "It is filled to replace " + name + ".",
                       "Cancel that, and begin again with the other query.");
}

absl::Status NotBeingReplaced(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "TVIEW " + name + " is not being replaced",
                        .hint = "pg_tviews_replace(..., online => true) begins it.",
                        .sqlstate = "55000"});
}

absl::Status CheckNobodyFollows(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT CASE WHEN o.options ->> 'feed' IN ('keys', 'data') OR o.options ->> 'notify' ="
          " 'true' THEN 'It tells which rows change (pg_tviews.feed, pg_tviews.notify).' ELSE"
          " (SELECT format('It is published by %s.', string_agg(quote_ident(p.pubname), ', ' ORDER"
          " BY p.pubname)) FROM pg_publication p WHERE p.puballtables OR EXISTS (SELECT FROM"
          " pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid) OR EXISTS (SELECT"
          " FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid ="
          " c.relnamespace) HAVING count(*) > 0) END"
          " FROM pg_class c, (SELECT $2::jsonb) AS o (options) WHERE c.oid = $1::oid",
          {std::to_string(tview.relation), "{" + tview.options + "}"}));
  const std::string reason = found.rows.at(0)[0].value_or("");
  if (reason.empty()) return absl::OkStatus();
  return CannotReplace(tview, reason + " An exchange of all rows at once tells nobody.",
                       "Replace it without online => true: the next batch writes the rows that "
                       "differ.");
}

absl::StatusOr<ColumnExchange> PlanForShadow(const TviewFacts& tview,
                                             const std::vector<ColumnShape>& wanted) {
  TVIEWS_ASSIGN_OR_RETURN(ColumnExchange exchange, PlanExchange(tview, wanted));
  exchange.key_may_change = true;
  return exchange;
}

absl::StatusOr<std::string> BeginReplacement(const std::string& text, const std::string& query,
                                             const std::string& key) {
  const InternalDdlScope internal;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(text));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
  TVIEWS_RETURN_IF_ERROR(LockAgainstDdl(tview));
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_RETURN_IF_ERROR(CheckIsNotBeingReplaced(facts));
  TVIEWS_RETURN_IF_ERROR(CheckPopulated(tview));
  TVIEWS_RETURN_IF_ERROR(CheckNobodyFollows(facts));
  TVIEWS_ASSIGN_OR_RETURN(const std::string own_key, KeyAsText(facts.key_columns));

  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery parsed, ParseDefiningQuery(query, {}));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<ColumnShape> wanted, ShapeOfQuery(parsed.tree));
  TVIEWS_ASSIGN_OR_RETURN(const ColumnExchange exchange, PlanForShadow(facts, wanted));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ViewsToReadAgain(facts, exchange));
  TVIEWS_RETURN_IF_ERROR(CheckExchange(facts, exchange, readers));

  TVIEWS_ASSIGN_OR_RETURN(TviewRequest request,
                          RequestFor(facts, parsed.text, key.empty() ? own_key : key, exchange));
  std::string shadow_name;
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::ForDdlOf(facts.owner));
    // Where the TVIEW is, whatever the session prefers.
    TVIEWS_ASSIGN_OR_RETURN(const std::string tablespace, SetTablespace(""));
    TVIEWS_ASSIGN_OR_RETURN(const CreatedTview shadow, CreateTview(std::move(request)));
    TVIEWS_RETURN_IF_ERROR(SetTablespace(tablespace).status());
    TVIEWS_RETURN_IF_ERROR(CheckReadsNothingBelow(facts, shadow.tview));
    TVIEWS_RETURN_IF_ERROR(CopyIndexes(tview, shadow.tview, NumbersOf(exchange.dropped)));
    TVIEWS_RETURN_IF_ERROR(GoWith(shadow.tview, tview));
    TVIEWS_RETURN_IF_ERROR(StoreReplacement(shadow.tview, tview));
    shadow_name = shadow.name;
  }
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("shadow_begun"));
  TVIEWS_RETURN_IF_ERROR(ReportLostIndexes(facts, exchange));
  if (!readers.empty()) TVIEWS_RETURN_IF_ERROR(TryReplacement(tview));
  TVIEWS_RETURN_IF_ERROR(
      RecordActionOn("REPLACE ONLINE", tview, {{"definition", parsed.text}, {"key", key}}));
  TVIEWS_ASSIGN_OR_RETURN(std::string name, RelationDisplayName(tview));
  TVIEWS_RETURN_IF_ERROR(TellBeginning(name, shadow_name));
  return name;
}

absl::StatusOr<std::string> CancelReplacement(const std::string& text) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(text));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
  TVIEWS_RETURN_IF_ERROR(LockAgainstDdl(tview));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId shadow, ShadowOf(tview));
  if (shadow == 0) return NotBeingReplaced(tview);
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(shadow));
  TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand("DROP TABLE " + name));
  TVIEWS_RETURN_IF_ERROR(RecordActionOn("REPLACE CANCEL", tview, {}));
  return RelationDisplayName(tview);
}

}  // namespace tviews::backend
