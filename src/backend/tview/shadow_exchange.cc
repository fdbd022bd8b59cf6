#include "backend/tview/shadow_exchange.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "backend/capture/trigger_installation.h"
#include "backend/ddl/audit_log.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/relation_files.h"
#include "backend/ddl/saved_views.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/column_exchange.h"
#include "backend/tview/comments.h"
#include "backend/tview/drop.h"
#include "backend/tview/emptied_table.h"
#include "backend/tview/facts.h"
#include "backend/tview/group_states.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/online_fill.h"
#include "backend/tview/shadow.h"
#include "backend/tview/shadow_indexes.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/pg_class.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Replacement {
  TviewFacts tview;
  TviewFacts shadow;
  std::string definition;  // as the user wrote it
  ColumnExchange exchange;
  std::vector<RelationId> readers;  // views to be read again
};

absl::StatusOr<Replacement> ReadReplacement(RelationId tview) {
  Replacement found;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId shadow, ShadowOf(tview));
  if (shadow == 0) return NotBeingReplaced(tview);
  TVIEWS_ASSIGN_OR_RETURN(found.tview, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(found.shadow, ReadTviewFacts(shadow));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> columns,
                          ShapeOfRelation(found.shadow.backing_view));
  std::vector<ColumnShape> wanted;
  for (const NumberedColumn& column : columns) wanted.push_back(column.shape);
  TVIEWS_ASSIGN_OR_RETURN(found.exchange, PlanForShadow(found.tview, wanted));
  TVIEWS_ASSIGN_OR_RETURN(found.readers, ViewsToReadAgain(found.tview, found.exchange));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult rows,
      pg::ExecuteSqlLatest("SELECT definition FROM " + meta + " WHERE tview = $1::oid",
                           {std::to_string(shadow)}));
  found.definition = pg::RowReader(rows.rows.at(0)).Text();
  return found;
}

// Everything at once and before anything is changed: somebody may hold one and wait for another.
absl::Status LockFor(const Replacement& replacement) {
  const TviewFacts& tview = replacement.tview;
  TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> exclusive,
                          SourcesReleasedBy(tview.relation, replacement.shadow.dependencies));
  for (const TviewFacts* each : {&tview, &replacement.shadow}) {
    exclusive.push_back(each->relation);
    exclusive.push_back(each->backing_view);
  }
  exclusive.insert(exclusive.end(), replacement.readers.begin(), replacement.readers.end());
  return LockTrees({}, exclusive);
}

// What is not as it was when the shadow began; empty if all is well.
absl::StatusOr<std::string> ObstacleTo(const Replacement& replacement) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string behind, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "SELECT CASE WHEN tc.relowner <> sc.relowner THEN 'It has another owner.'"
              " WHEN coalesce(t.options ->> 'lane', 'main') <> coalesce(s.options ->> 'lane',"
              " 'main') THEN 'It is in another lane.'"
              " WHEN t.options ? 'settings' AND t.options -> 'settings' <> s.options -> 'settings'"
              " OR t.options -> 'function_reads' IS DISTINCT FROM s.options -> 'function_reads'"
              " OR t.options -> 'clock_period' IS DISTINCT FROM s.options -> 'clock_period'"
              " THEN 'It has other options.'"
              " WHEN tc.reltablespace <> sc.reltablespace OR tc.relam <> sc.relam OR"
              " tc.relpersistence <> sc.relpersistence THEN 'It is stored in another way.'"
              " WHEN s.state <> 'active' THEN 'The new query fails: see pg_tview_dead_letter.'"
              " WHEN b.retry_at IS NOT NULL THEN 'The new query fails: ' || b.reason END"
              " FROM ",
              meta, " t JOIN pg_class tc ON tc.oid = t.tview, ", meta,
              " s JOIN pg_class sc ON sc.oid = s.tview LEFT JOIN ", behind,
              " b ON b.tview = s.tview WHERE t.tview = $1::oid AND s.tview = $2::oid"),
          {std::to_string(replacement.tview.relation),
           std::to_string(replacement.shadow.relation)}));
  return found.rows.at(0)[0].value_or("");
}

absl::Status CheckReady(const Replacement& replacement) {
  TVIEWS_RETURN_IF_ERROR(CheckPopulated(replacement.shadow.relation));
  TVIEWS_RETURN_IF_ERROR(CheckNobodyFollows(replacement.tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::string obstacle, ObstacleTo(replacement));
  if (obstacle.empty()) {
    return CheckExchange(replacement.tview, replacement.exchange, replacement.readers);
  }
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "cannot replace TVIEW " + replacement.tview.table,
       .detail = obstacle,
       .hint = "Make it as it was when the replacement began, or call pg_tviews_replace_cancel() "
               "and begin again.",
       .sqlstate = "55000"});
}

absl::StatusOr<std::string> FrontierOf(const TviewFacts& tview, bool is_latest) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string frontier,
                          pg::QualifiedTable(pg::CatalogTable::kFrontier));
  const std::string sql = "SELECT f.snapshot::text FROM " + frontier +
                          " f WHERE f.lane = coalesce($1::jsonb ->> 'lane', 'main')";
  const pg::SqlParameters options = {"{" + tview.options + "}"};
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                          is_latest ? pg::ExecuteSqlLatest(sql, options)
                                    : pg::ExecuteSql(sql, options, pg::SqlSnapshot::kActive));
  return found.rows.empty() ? std::string() : found.rows[0][0].value_or("");
}

// The rest of a transaction with one snapshot would not find the rows of later batches.
absl::Status CheckSnapshot(const Replacement& replacement) {
  if (!IsolationUsesXactSnapshot()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string seen, FrontierOf(replacement.shadow, false));
  TVIEWS_ASSIGN_OR_RETURN(const std::string latest, FrontierOf(replacement.shadow, true));
  if (seen == latest) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kAborted,
      {.message = "could not replace TVIEW " + replacement.tview.table +
                  " as of this transaction's snapshot",
       .detail = "Its new rows have changed since the snapshot was taken.",
       .hint = "The transaction might succeed if retried; in READ COMMITTED it does.",
       .sqlstate = "40001"});
}

// What names meant when the shadow was created, they mean now.
absl::Status GiveQuery(const Replacement& replacement) {
  TVIEWS_RETURN_IF_ERROR(PrepareView(replacement.tview, replacement.exchange));
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, AsViewOwner(replacement.shadow.owner));
    TVIEWS_ASSIGN_OR_RETURN(const std::string text, ViewText(replacement.shadow.backing_view));
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteCommand("CREATE OR REPLACE VIEW " + replacement.tview.view + " AS\n" + text));
  }
  return LockMeaningOf(replacement.tview.backing_view);
}

// Runs each as the owner of the extension, with the ids of the TVIEW and of its shadow.
absl::Status RunOnBoth(const Replacement& replacement, const std::vector<std::string>& statements) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  for (const std::string& sql : statements) {
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteSqlLatest(sql, {std::to_string(replacement.tview.relation),
                                                      std::to_string(replacement.shadow.relation)})
                               .status());
  }
  return absl::OkStatus();
}

// What is known of the shadow is known of the TVIEW.
absl::Status TakeOver(const Replacement& replacement) {
  TVIEWS_RETURN_IF_ERROR(RemoveGroupStates(replacement.tview.relation));
  std::vector<std::string> statements;
  for (const pg::CatalogTable table :
       {pg::CatalogTable::kLineage, pg::CatalogTable::kDeadLetter, pg::CatalogTable::kGroupState}) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, pg::QualifiedTable(table));
    if (table != pg::CatalogTable::kGroupState) {
      statements.push_back("DELETE FROM " + name + " WHERE tview = $1::oid AND $2::oid <> 0");
    }
    statements.push_back("UPDATE " + name + " SET tview = $1::oid WHERE tview = $2::oid");
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string frontier,
                          pg::QualifiedTable(pg::CatalogTable::kFrontier));
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kReplacement));
  statements.push_back(absl::StrCat(
      "UPDATE ", meta,
      " AS t SET key_column = s.key_column, key_columns = s.key_columns, state = s.state,"
      " definition = s.definition, exchanged_by = pg_current_xact_id(), fill_creator ="
      " pg_current_xact_id(), fill_snapshot = coalesce(s.fill_snapshot, (SELECT f.snapshot FROM ",
      frontier,
      " f WHERE f.lane = coalesce(s.options ->> 'lane', 'main'))), options = t.options - "
      "'filled_at'"
      " || jsonb_build_object('settings', s.options -> 'settings') FROM ",
      meta, " AS s WHERE t.tview = $1::oid AND s.tview = $2::oid"));
  statements.push_back("UPDATE " + table +
                       " SET exchanged_at = clock_timestamp() WHERE tview = $1::oid AND shadow ="
                       " $2::oid");
  TVIEWS_RETURN_IF_ERROR(RunOnBoth(replacement, statements));
  TVIEWS_RETURN_IF_ERROR(NoteMetadataChange());
  const RelationId tview = replacement.tview.relation;
  TVIEWS_RETURN_IF_ERROR(RederiveLineage(tview));
  TVIEWS_RETURN_IF_ERROR(CheckForCycles());
  return RenewComments(tview, replacement.tview.backing_view, replacement.definition);
}

// Their rows are of the former query until the next batch has compared them; they are read after
// that, so that nobody sees one of the TVIEWs before and another after the exchange.
absl::Status CompareReaders(const Replacement& replacement) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers,
                          ReadersOf(replacement.tview.relation));
  for (const RelationId reader : readers) {
    TVIEWS_RETURN_IF_ERROR(RederiveLineage(reader));
    TVIEWS_RETURN_IF_ERROR(NoteTview(reader));
  }
  if (readers.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  return RunOnBoth(
      replacement,
      {absl::StrCat("WITH RECURSIVE below (tview) AS (SELECT m.tview::oid FROM ", meta,
                    " m WHERE $1::oid = ANY (m.dependencies) UNION SELECT m.tview::oid FROM ", meta,
                    " m JOIN below ON below.tview = ANY (m.dependencies))"
                    " UPDATE ",
                    meta,
                    " AS m SET exchanged_by = pg_current_xact_id(),"
                    " fill_creator = pg_current_xact_id(), fill_snapshot ="
                    " coalesce(m.fill_snapshot, (SELECT t.fill_snapshot FROM ",
                    meta,
                    " t WHERE t.tview = $1::oid)) FROM below WHERE m.tview = below.tview AND"
                    " $2::oid <> 0")});
}

// Bookkeeping, which event triggers do not see.
absl::Status DropShadow(const Replacement& replacement) {
  const TviewFacts& shadow = replacement.shadow;
  TVIEWS_RETURN_IF_ERROR(ReleaseTview(shadow.relation, shadow.backing_view));
  const RelationId tview = replacement.tview.relation;
  return pg::Call([&] {
    for (const Oid relation : {shadow.backing_view, shadow.relation}) {
      const ObjectAddress object = {RelationRelationId, relation, 0};
      performDeletion(&object, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
    }
    RenameToast(tview);
  });
}

// Triggers of sources that the former query read, and nobody else does.
absl::Status ReleaseSources(const Replacement& replacement) {
  std::set<RelationId> former(replacement.tview.dependencies.begin(),
                              replacement.tview.dependencies.end());
  for (const RelationId source : replacement.shadow.dependencies) former.erase(source);
  return RemoveUnneededCaptureTriggers(former);
}

// The table gets the form that the shadow has.
absl::Status Reshape(const Replacement& replacement) {
  const TviewFacts& tview = replacement.tview;
  const RelationId table = tview.relation;
  TVIEWS_RETURN_IF_ERROR(pg::Call([table] { EmptyTable(table); }));
  TVIEWS_RETURN_IF_ERROR(GiveQuery(replacement));
  TVIEWS_RETURN_IF_ERROR(
      ReshapeEmptied(tview, replacement.exchange, replacement.shadow.key_columns));
  TVIEWS_RETURN_IF_ERROR(CopyIndexes(replacement.shadow.relation, table, {}));
  return CheckSamePlaces(tview, replacement.shadow);
}

absl::Status Exchange(const Replacement& replacement) {
  const TviewFacts& tview = replacement.tview;
  const RelationId table = tview.relation;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<SavedView> saved, TakeAway(tview, replacement.readers));
  TVIEWS_RETURN_IF_ERROR(Reshape(replacement));
  TVIEWS_RETURN_IF_ERROR(ExchangeRows(table, replacement.shadow.relation));
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("rows_exchanged"));
  TVIEWS_RETURN_IF_ERROR(TakeOver(replacement));
  TVIEWS_RETURN_IF_ERROR(DropShadow(replacement));
  TVIEWS_RETURN_IF_ERROR(ReleaseSources(replacement));
  TVIEWS_RETURN_IF_ERROR(PutBack(tview, saved));
  TVIEWS_RETURN_IF_ERROR(CompareReaders(replacement));
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(table, tview.backing_view));
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainTable(table));
  TVIEWS_RETURN_IF_ERROR(CheckPromisesNothing(table, replacement.shadow.key_columns));
  return pg::PausePoint("shadow_gone");
}

// What a trial ends with, so that it is rolled back.
constexpr char kUndone[] = "the trial is over";

}  // namespace

absl::Status TryReplacement(RelationId tview) {
  const absl::Status status = pg::RunSubtransaction([tview]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const Replacement replacement, ReadReplacement(tview));
    TVIEWS_RETURN_IF_ERROR(LockFor(replacement));
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<SavedView> saved,
                            TakeAway(replacement.tview, replacement.readers));
    TVIEWS_RETURN_IF_ERROR(Reshape(replacement));
    TVIEWS_RETURN_IF_ERROR(PutBack(replacement.tview, saved));
    return absl::CancelledError(kUndone);
  });
  return status.message() == kUndone ? absl::OkStatus() : status;
}

absl::StatusOr<std::string> FinishReplacement(const std::string& text) {
  const InternalDdlScope internal;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, FindTview(text));
  TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
  TVIEWS_RETURN_IF_ERROR(LockAgainstDdl(tview));
  TVIEWS_ASSIGN_OR_RETURN(Replacement replacement, ReadReplacement(tview));
  TVIEWS_RETURN_IF_ERROR(CheckReady(replacement));
  TVIEWS_RETURN_IF_ERROR(LockFor(replacement));
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("shadow_locked"));
  // Again: whoever held the locks may have changed it.
  TVIEWS_ASSIGN_OR_RETURN(replacement, ReadReplacement(tview));
  TVIEWS_RETURN_IF_ERROR(CheckReady(replacement));
  TVIEWS_RETURN_IF_ERROR(CheckSnapshot(replacement));
  TVIEWS_RETURN_IF_ERROR(Exchange(replacement));
  TVIEWS_RETURN_IF_ERROR(
      RecordActionOn("REPLACE", tview, {{"definition", replacement.definition}}));
  return RelationDisplayName(tview);
}

}  // namespace tviews::backend
