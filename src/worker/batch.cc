#include "worker/batch.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/change_record.h"
#include "shared/pg/catalog.h"
#include "shared/pg/error.h"
#include "shared/pg/graph_loader.h"
#include "shared/pg/guard.h"
#include "shared/pg/memory.h"
#include "shared/pg/outbox.h"
#include "shared/pg/pause_point.h"
#include "shared/pg/relation_watch.h"
#include "shared/pg/settings.h"
#include "shared/pg/snapshot.h"
#include "shared/pg/spi.h"
#include "shared/pg/transaction_scope.h"
#include "shared/status_macros.h"
#include "worker/inheritance_check.h"
#include "worker/quarantine.h"
#include "worker/tview_refresh.h"
#include "worker/worker_activity.h"

#include "shared/pg/postgres_begin.h"
#include <access/xact.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <storage/lmgr.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/postgres_end.h"

namespace tviews::worker {
namespace {

absl::Status CatalogsMoved() {
  return pg::MakeError(absl::StatusCode::kAborted,
                       {.message = "catalogs changed while a batch began", .sqlstate = "40001"});
}

}  // namespace

absl::StatusOr<bool> HasPreparedTransactions() {
  bool any = false;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(
        const pg::SqlResult result,
        pg::ExecuteSql("SELECT 1 FROM pg_catalog.pg_prepared_xact() p JOIN pg_catalog.pg_database d"
                       " ON d.oid = p.dbid WHERE d.datname = current_database() LIMIT 1",
                       {}, true));
    any = !result.rows.empty();
    return pg::Call([] { PopActiveSnapshot(); });
  }));
  return any;
}

absl::Status BatchRunner::Run(bool careful) {
  const Timestamp begin = GetCurrentTimestamp();
  totals_ = pg::BatchTotals{};
  log_.Begin();
  slot_->activity.batch_started.Store(begin);
  TVIEWS_ASSIGN_OR_RETURN(const bool none_prepared, NonePrepared());
  reader_.BeforeSnapshot(none_prepared);
  requests_.Take();
  SnapshotBounds bounds;
  absl::Status status = pg::RunTransaction([&] { return InTransaction(careful, &bounds); });
  slot_->activity.tview.Store(0);
  if (!status.ok()) {
    requests_.AfterFailure();
    graph_generation_ = 0;
    return status;
  }
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("after_apply"));
  // Before the waiters are woken: they may look.
  Report(begin);
  log_.Publish();
  reader_.AfterCommit(bounds);
  requests_.AfterCommit();
  return absl::OkStatus();
}

// True if the database is known to have no prepared transaction: nothing was preparing before the
// list was read, and the list was empty (ATTACKS A5).
absl::StatusOr<bool> BatchRunner::NonePrepared() {
  if (!reader_.MaybePrepared() || reader_.IsPreparing()) return false;
  TVIEWS_ASSIGN_OR_RETURN(const bool any, HasPreparedTransactions());
  return !any;
}

absl::Status BatchRunner::InTransaction(bool careful, SnapshotBounds* bounds) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::MemoryScope memory, pg::MemoryScope::Make("pg_tviews batch"));
  invalidations_ = pg::WatchedInvalidations();
  generation_ = pg::CatalogGeneration();
  SnapshotData* snapshot = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    PushActiveSnapshot(GetTransactionSnapshot());
    snapshot = GetActiveSnapshot();
  }));
  *bounds = pg::BoundsOf(snapshot);
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("after_snapshot"));
  TVIEWS_RETURN_IF_ERROR(LoadGraphIfStale());
  TVIEWS_ASSIGN_OR_RETURN(Coalescer coalescer, CollectRecords(snapshot));
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("after_take"));
  const bool has_fills =
      std::any_of(graph_.order().begin(), graph_.order().end(),
                  [](const TviewDefinition& tview) { return tview.fill.has_value(); });
  if (coalescer.records() > 0 || !requests_.empty() || has_fills) {
    slot_->activity.state.Store(static_cast<std::int32_t>(pg::ApplierState::kApplying));
    const std::vector<bool> reachable = FindReachable(coalescer);
    TVIEWS_RETURN_IF_ERROR(LockRelations(reachable));
    TVIEWS_RETURN_IF_ERROR(CheckCatalogs());
    TVIEWS_RETURN_IF_ERROR(RefreshAll(reachable, careful, &coalescer));
    TVIEWS_RETURN_IF_ERROR(Consume(snapshot, *bounds));
    if (has_fills) TVIEWS_RETURN_IF_ERROR(ClearFills());
    TVIEWS_RETURN_IF_ERROR(CheckInheritance(graph_, reachable));
    if (careful) {
      TVIEWS_ASSIGN_OR_RETURN(has_quarantine_, AnythingInQuarantine());
    }
  }
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_commit"));
  return pg::Call([] { PopActiveSnapshot(); });
}

absl::Status BatchRunner::LoadGraphIfStale() {
  if (graph_generation_ == generation_ && graph_generation_ != 0) {
    if (planned_at_ != invalidations_) executor_.ForgetStatements();
    planned_at_ = invalidations_;
    return absl::OkStatus();
  }
  return ReloadGraph();
}

absl::Status BatchRunner::ReloadGraph() {
  TVIEWS_ASSIGN_OR_RETURN(graph_, pg::LoadGraph());
  graph_generation_ = generation_;
  executor_.ForgetStatements();
  planned_at_ = invalidations_;
  std::vector<RelationId> watched;
  for (const TviewDefinition& tview : graph_.order()) {
    watched.push_back(tview.relation);
    watched.push_back(tview.backing_view);
    watched.insert(watched.end(), tview.nested_views.begin(), tview.nested_views.end());
    for (const SourceLineage& source : tview.sources) {
      watched.push_back(source.source);
      TVIEWS_RETURN_IF_ERROR(AppendDescendants(source.source, &watched));
    }
  }
  if (pg::WatchRelations(watched)) return CatalogsMoved();
  log_.Keep(graph_);
  TVIEWS_ASSIGN_OR_RETURN(has_quarantine_, AnythingInQuarantine());
  return absl::OkStatus();
}

// Collects and coalesces. A record that says that metadata changed makes the graph be read again
// under S, and the records be coalesced for that one.
absl::StatusOr<Coalescer> BatchRunner::CollectRecords(SnapshotData* snapshot) {
  const Origin here{.system_identifier = GetSystemIdentifier(), .database = MyDatabaseId};
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, pg::CatalogTableId(pg::CatalogTable::kMeta));
  const std::size_t memory = static_cast<std::size_t>(pg::settings::batch_memory) * 1024;
  for (bool reloaded = false;; reloaded = true) {
    Coalescer coalescer(graph_, memory);
    bool metadata_changed = false;
    TVIEWS_RETURN_IF_ERROR(
        reader_.Collect(snapshot, [&](FullXid xid, std::string_view payload) -> absl::Status {
          absl::StatusOr<ChangeRecord> record = ParseChangeRecord(payload);
          if (!record.ok()) {
            pg::LogFailure(record.status(),
                           "a change record cannot be read: every TVIEW is "
                           "compared with its query");
            record = EverythingChanged(here);
          }
          if (record->origin != here) return absl::OkStatus();
          if (record->deltas.Find(meta) != nullptr) metadata_changed = true;
          coalescer.Fold(xid, *std::move(record));
          return absl::OkStatus();
        }));
    if (!metadata_changed || reloaded) {
      totals_.records = coalescer.records();
      return coalescer;
    }
    TVIEWS_RETURN_IF_ERROR(ReloadGraph());
  }
}

// What is assumed where a record is unreadable.
ChangeRecord BatchRunner::EverythingChanged(const Origin& here) const {
  ChangeRecord record;
  record.origin = here;
  for (const TviewDefinition& tview : graph_.order()) {
    for (const SourceLineage& source : tview.sources) record.deltas.MarkWhole(source.source);
  }
  return record;
}

// Which TVIEWs of graph_.order() this batch may write.
std::vector<bool> BatchRunner::FindReachable(const Coalescer& coalescer) const {
  std::vector<bool> reachable(graph_.order().size(), false);
  const auto mark_readers = [&](RelationId source) {
    for (const std::size_t position : graph_.Reachable(source)) reachable[position] = true;
  };
  for (const RelationId relation : coalescer.ChangedRelations()) mark_readers(relation);
  for (std::size_t i = 0; i < graph_.order().size(); ++i) {
    if (!requests_.IsRequested(graph_.order()[i].relation)) continue;
    reachable[i] = true;
    mark_readers(graph_.order()[i].relation);
  }
  return reachable;
}

// ACCESS SHARE on what is read, ROW EXCLUSIVE on what is written, in OID order.
absl::Status BatchRunner::LockRelations(const std::vector<bool>& reachable) {
  std::set<std::pair<RelationId, int>> locks;
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    if (!reachable[i]) continue;
    const TviewDefinition& tview = graph_.order()[i];
    locks.insert({tview.relation, RowExclusiveLock});
    locks.insert({tview.backing_view, AccessShareLock});
    for (const RelationId view : tview.nested_views) locks.insert({view, AccessShareLock});
    for (const SourceLineage& source : tview.sources) {
      std::vector<RelationId> read = {source.source};
      TVIEWS_RETURN_IF_ERROR(AppendDescendants(source.source, &read));
      for (const RelationId relation : read) {
        if (!pg::IsWatched(relation)) return CatalogsMoved();
        locks.insert({relation, AccessShareLock});
      }
    }
  }
  for (const auto& [relation, mode] : locks) {
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([relation = relation, mode = mode] { LockRelationOid(relation, mode); }));
  }
  return absl::OkStatus();
}

absl::Status BatchRunner::CheckCatalogs() {
  if (pg::WatchedInvalidations() != invalidations_) return CatalogsMoved();
  if (pg::CatalogGeneration() != generation_) return CatalogsMoved();
  return absl::OkStatus();
}

absl::Status BatchRunner::RefreshAll(const std::vector<bool>& reachable, bool careful,
                                     Coalescer* coalescer) {
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    if (!reachable[i]) continue;
    TVIEWS_RETURN_IF_ERROR(RefreshOne(graph_.order()[i], careful, coalescer));
  }
  return absl::OkStatus();
}

absl::Status BatchRunner::RefreshOne(const TviewDefinition& tview, bool careful,
                                     Coalescer* coalescer) {
  const bool is_requested = requests_.IsRequested(tview.relation);
  if (tview.is_quarantined && !is_requested) return absl::OkStatus();
  const Timestamp begin = GetCurrentTimestamp();
  ShowSearch(tview);
  const ReaderColumns readers = ReadersOf(tview.relation);
  TviewRefresh refresh(tview, readers, careful, is_requested, &executor_);
  AffectedKeys affected;
  if (is_requested) {
    affected.everything = true;
    affected.why = "requested";
  } else {
    TVIEWS_ASSIGN_OR_RETURN(affected, refresh.FindKeys(coalescer->DeltasFor(tview)));
  }
  // A row without a key names none, but it must not be there either.
  const bool may_have_null_key = affected.is_touched && !tview.key_is_not_null;
  if (affected.empty() && !may_have_null_key) return absl::OkStatus();
  slot_->activity.tview_started.Store(begin);
  slot_->activity.is_full.Store(affected.everything ? 1 : 0);
  slot_->activity.keys_total.Store(affected.keys.size());
  slot_->activity.keys_done.Store(0);
  slot_->activity.tview.Store(tview.relation);
  ShowRefresh(tview, affected);
  DeltaSet changes;
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts, refresh.Apply(affected, &changes));
  requests_.Note(tview.relation, counts, refresh.failure());
  totals_.inserted += counts.inserted;
  totals_.updated += counts.updated;
  totals_.deleted += counts.deleted;
  totals_.unchanged += counts.unchanged;
  if (affected.everything) ++totals_.full_refreshes;
  const Timestamp changed_at = is_requested ? 0 : coalescer->OldestChangeFor(tview);
  log_.Add(tview.entity, {.tview = tview.relation,
                          .is_full = affected.everything,
                          .keys = affected.keys.size(),
                          .inserted = counts.inserted,
                          .updated = counts.updated,
                          .deleted = counts.deleted,
                          .unchanged = counts.unchanged,
                          .errors = refresh.errors(),
                          .duration_us = static_cast<std::uint64_t>(GetCurrentTimestamp() - begin),
                          .changed_at = changed_at});
  coalescer->FoldRefreshed(std::move(changes), changed_at);
  // The TVIEWs that follow see what this one wrote, under the same snapshot.
  return pg::Call([] {
    CommandCounterIncrement();
    PopActiveSnapshot();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

absl::Status BatchRunner::Consume(SnapshotData*, const SnapshotBounds& bounds) {
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_consume"));
  SnapshotData* const snapshot = GetActiveSnapshot();
  TVIEWS_RETURN_IF_ERROR(pg::Outbox::Delete(snapshot, reader_.consumed()));
  TVIEWS_RETURN_IF_ERROR(log_.Write());
  return pg::StoreFrontier(snapshot, bounds, totals_);
}

// Every record that a fill could cover has been in this batch or an earlier one.
absl::Status BatchRunner::ClearFills() {
  graph_generation_ = 0;
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  return pg::ExecuteSql(absl::StrCat("UPDATE ", meta,
                                     " SET fill_snapshot = NULL, fill_creator = NULL"
                                     " WHERE fill_snapshot IS NOT NULL"))
      .status();
}

ReaderColumns BatchRunner::ReadersOf(RelationId tview) const {
  ReaderColumns columns;
  std::set<CapturedColumn> captured;
  std::set<AttributeNumber> relevant;
  for (const std::size_t position : graph_.Readers(tview)) {
    for (const SourceLineage& source : graph_.order()[position].sources) {
      if (source.source != tview) continue;
      columns.any = true;
      for (const CapturedColumn& column : source.captured()) captured.insert(column);
      relevant.insert(source.relevant.begin(), source.relevant.end());
    }
  }
  columns.captured.assign(captured.begin(), captured.end());
  columns.relevant.assign(relevant.begin(), relevant.end());
  return columns;
}

void BatchRunner::Report(Timestamp begin) {
  pg::ApplierActivity& activity = slot_->activity;
  if (reader_.scanned()) activity.scans.Add(1);
  if (totals_.records == 0 && totals_.full_refreshes == 0) return;
  activity.last_batch_at.Store(GetCurrentTimestamp());
  activity.last_batch_us.Store(static_cast<std::uint64_t>(GetCurrentTimestamp() - begin));
  activity.batches.Add(1);
  activity.records.Add(totals_.records);
  activity.rows_written.Add(totals_.inserted + totals_.updated + totals_.deleted);
  activity.rows_unchanged.Add(totals_.unchanged);
  activity.full_refreshes.Add(totals_.full_refreshes);
}

}  // namespace tviews::worker
