#include "worker/batch/batch.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/change_record.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/graph_loader.h"
#include "shared/pg/tables/outbox.h"
#include "shared/pg/tables/relation_watch.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_watch.h"
#include "worker/batch/inheritance_check.h"
#include "worker/batch/quarantine.h"
#include "worker/batch/worker_activity.h"
#include "worker/refresh/memory_limit.h"
#include "worker/refresh/tview_refresh.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

absl::Status LeftBehind(const std::string& fault) {
  return pg::MakeError(absl::StatusCode::kAborted,
                       {.message = "the TVIEW is left behind: " + fault, .sqlstate = "57014"});
}

// Memory that a batch leaves in use grows slowly.
constexpr Timestamp kMeasureAgain = 1000000;

// Before those who wait for the batch are woken: they may look.
void ReportStatistics() {
  const absl::Status reported = pg::Call([] { pgstat_report_stat(true); });
  if (!reported.ok()) pg::LogFailure(reported, "statistics of a batch are reported with the next");
  pg::cache_stats::Flush();
}

Origin Here() { return {.system_identifier = GetSystemIdentifier(), .database = MyDatabaseId}; }

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

bool BatchRunner::HasWork() const {
  return reader_.HasWork() || requests_.AnyWaiting() ||
         standings_.AnyToRetry(GetCurrentTimestamp());
}

long BatchRunner::BehindDueMs() const { return standings_.LookDueMs(GetCurrentTimestamp()); }

BatchEnd BatchRunner::Run(bool careful) {
  const Timestamp begin = GetCurrentTimestamp();
  totals_ = pg::BatchTotals{};
  log_.Begin();
  slot_->activity.batch_started.Store(begin);
  stuck_ = 0;
  is_outdated_ = false;
  reader_.BeforeSnapshot([] { return pg::NextXid(); });
  requests_.Take();
  NoteDeafTview();
  SnapshotBounds bounds;
  absl::Status status = pg::RunTransaction([&] { return InTransaction(careful, &bounds); });
  slot_->activity.tview.Store(0);
  const Ending ending = EndingOf(status);
  ReportStatistics();
  if (!status.ok()) {
    if (stuck_ != 0 && !audit_.is_running()) Blame(ending, status);
    requests_.AfterFailure();
    graph_generation_ = 0;
    if (audit_.is_running()) {
      // It is in nobody's way: the batch is begun again without it.
      audit_.AfterFailure(status);
      return Run(careful);
    }
    return {.ending = ending, .error = std::move(status)};
  }
  if (audit_.is_running()) audit_.AfterCommit();
  status = pg::PausePoint("after_apply");
  if (!status.ok()) return {.ending = EndingOf(status), .error = std::move(status)};
  // Before the waiters are woken: they may look.
  Report(begin);
  log_.Publish();
  behind_.AfterCommit();
  standings_.Commit();
  PublishFrontier(bounds);
  requests_.AfterCommit();
  return {};
}

Ending BatchRunner::EndingOf(const absl::Status& status) const {
  if (is_outdated_) return Ending::kOutdated;
  if (locks_.is_contended()) return Ending::kLockInTheWay;
  return BatchWatch::EndingOf(status);
}

// The batch failed with `status` while TVIEW stuck_ was refreshed.
void BatchRunner::Blame(Ending ending, const absl::Status& status) {
  const Timestamp now = GetCurrentTimestamp();
  const std::string fault = standings_.Blame(
      stuck_,
      {.ending = ending, .error = std::string(status.message()), .spent = now - stuck_since_}, now);
  if (fault.empty()) return;
  requests_.Fail(stuck_, IsInterruption(ending) ? LeftBehind(fault) : status);
}

// The applier before this one could not end the refresh of this TVIEW and had to go.
void BatchRunner::NoteDeafTview() {
  const RelationId tview = slot_->deaf_tview.Exchange(0);
  if (tview == 0) return;
  constexpr Timestamp kLeast = 60 * Timestamp{1000000};
  const std::string fault = "its refresh did not end when it was cancelled, and ended the applier";
  standings_.LeaveBehind(tview, fault,
                         std::max(kLeast, Timestamp{pg::settings::refresh_timeout} * 1000),
                         GetCurrentTimestamp());
  requests_.Fail(tview, LeftBehind(fault));
}

absl::Status BatchRunner::InTransaction(bool careful, SnapshotBounds* bounds) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::MemoryScope memory, pg::MemoryScope::Make("pg_tviews batch"));
  BatchWatch watch;
  invalidations_ = pg::WatchedInvalidations();
  any_invalidations_ = pg::RelationInvalidations();
  generation_ = pg::CatalogGeneration();
  catalog_changes_ = pg::CatalogChanges();
  SnapshotData* snapshot = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    PushActiveSnapshot(GetTransactionSnapshot());
    snapshot = GetActiveSnapshot();
  }));
  *bounds = pg::BoundsOf(snapshot);
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("after_snapshot"));
  behind_.BeginBatch();
  standings_.BeginBatch();
  TVIEWS_RETURN_IF_ERROR(LoadGraphIfStale());
  TVIEWS_ASSIGN_OR_RETURN(Coalescer coalescer, CollectRecords(snapshot));
  careful = careful || standings_.NeedsCare();
  // What fails because of a helper, or of a row of another key, is repeated without.
  executor_.SetCareful(careful);
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("after_take"));
  const bool has_fills =
      std::any_of(graph_.order().begin(), graph_.order().end(),
                  [](const TviewDefinition& tview) { return tview.fill.has_value(); });
  const Timestamp now = GetCurrentTimestamp();
  const bool has_news =
      coalescer.records() > 0 || requests_.has_new() || has_fills || standings_.AnyToRetry(now);
  bool is_audit = false;
  const bool tries_behind = standings_.TryDueMs(now) == 0;
  if (!has_news && !tries_behind && audit_.IsDue()) {
    TVIEWS_ASSIGN_OR_RETURN(is_audit, audit_.Begin(graph_, standings_));
  }
  if (has_news || tries_behind || is_audit) {
    slot_->activity.state.Store(static_cast<std::int32_t>(pg::ApplierState::kApplying));
    std::vector<bool> reachable = FindReachable(coalescer);
    TVIEWS_RETURN_IF_ERROR(locks_.Acquire(graph_, reachable));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { watch.Begin(locks_.taken()); }));
    TVIEWS_RETURN_IF_ERROR(CheckCatalogs());
    executor_.BeginBatch(bounds);
    TVIEWS_RETURN_IF_ERROR(RefreshAll(careful, &reachable, &coalescer));
    // Where only TVIEWs that are behind were tried, in vain, there is nothing to write.
    if (has_news || behind_.has_changed() || audit_.has_differences()) {
      TVIEWS_RETURN_IF_ERROR(Consume(snapshot, *bounds));
      if (has_fills) TVIEWS_RETURN_IF_ERROR(ClearFills());
      TVIEWS_RETURN_IF_ERROR(CheckInheritance(graph_, reachable));
      if (careful) {
        TVIEWS_ASSIGN_OR_RETURN(const bool has_quarantine, AnythingInQuarantine());
        standings_.NoteQuarantine(has_quarantine);
      }
    }
  }
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_commit"));
  return pg::Call([] { PopActiveSnapshot(); });
}

absl::Status BatchRunner::LoadGraphIfStale() {
  if (graph_generation_ == generation_ && graph_generation_ != 0) {
    if (planned_at_ != invalidations_) executor_.ForgetStatements();
    planned_at_ = invalidations_;
    return unadopted_.tviews.empty() ? absl::OkStatus() : LoadUnadopted();
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
  if (pg::WatchRelations(watched, any_invalidations_)) return CatalogsMoved();
  log_.Keep(graph_);
  TVIEWS_ASSIGN_OR_RETURN(const bool has_quarantine, AnythingInQuarantine());
  standings_.NoteQuarantine(has_quarantine);
  TVIEWS_RETURN_IF_ERROR(LoadUnadopted());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Standings::Behind> behind, behind_.Read(graph_));
  standings_.Load(graph_, behind, GetCurrentTimestamp());
  return absl::OkStatus();
}

absl::Status BatchRunner::LoadUnadopted() {
  TVIEWS_ASSIGN_OR_RETURN(unadopted_, ReadUnadopted());
  standings_.AwaitAdoption(unadopted_.tviews);
  return absl::OkStatus();
}

// The frontier does not hold for TVIEWs that were left aside, nor for those that wait to be
// adopted.
void BatchRunner::PublishFrontier(const SnapshotBounds& frontier) {
  std::vector<pg::BusyLock> busy = locks_.missing();
  busy.insert(busy.end(), unadopted_.locks.begin(), unadopted_.locks.end());
  slot_->given_up.Store(static_cast<std::int32_t>(standings_.GivenUp()));
  reader_.AfterCommit([&] { ShowFrontier(slot_, frontier, standings_.WaitedFor(), busy); });
  WakeReaders(slot_);
}

// Collects and coalesces. A record that says that metadata changed makes the graph be read again
// under S, and the records be coalesced for that one.
absl::StatusOr<Coalescer> BatchRunner::CollectRecords(SnapshotData* snapshot) {
  const Origin here = Here();
  ServerOutbox outbox(snapshot);
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, pg::CatalogTableId(pg::CatalogTable::kMeta));
  const std::size_t memory = static_cast<std::size_t>(pg::settings::batch_memory) * 1024;
  for (bool reloaded = false;; reloaded = true) {
    Coalescer coalescer(graph_, memory);
    bool metadata_changed = false;
    TVIEWS_RETURN_IF_ERROR(
        reader_.Collect(&outbox, [&](FullXid xid, std::string_view payload) -> absl::Status {
          TVIEWS_RETURN_IF_ERROR(pg::Call([] { CHECK_FOR_INTERRUPTS(); }));
          absl::StatusOr<ChangeRecord> record = ParseChangeRecord(payload, memory);
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
    slot_->activity.walked.Store(reader_.walked());
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
  const Timestamp now = GetCurrentTimestamp();
  std::vector<bool> reachable(graph_.order().size(), false);
  const auto mark_readers = [&](RelationId source) {
    for (const std::size_t position : graph_.Reachable(source)) reachable[position] = true;
  };
  for (const RelationId relation : coalescer.ChangedRelations()) mark_readers(relation);
  for (std::size_t i = 0; i < graph_.order().size(); ++i) {
    const RelationId tview = graph_.order()[i].relation;
    if (!requests_.IsRequested(tview) && !standings_.IsBehind(tview) &&
        !coalescer.IsToCompare(tview) && !standings_.IsToRetry(tview, now) &&
        !audit_.Contains(tview)) {
      continue;
    }
    reachable[i] = true;
    mark_readers(tview);
  }
  return reachable;
}

absl::Status BatchRunner::CatalogsMoved() {
  is_outdated_ = true;
  return pg::MakeError(absl::StatusCode::kAborted,
                       {.message = "catalogs changed while a batch began", .sqlstate = "40001"});
}

absl::Status BatchRunner::CheckCatalogs() {
  if (pg::WatchedInvalidations() != invalidations_) return CatalogsMoved();
  if (pg::CatalogChanges() != catalog_changes_) return CatalogsMoved();
  return absl::OkStatus();
}

// In dependency order; a TVIEW that is left aside is not `reachable` any more.
absl::Status BatchRunner::RefreshAll(bool careful, std::vector<bool>* reachable,
                                     Coalescer* coalescer) {
  for (std::size_t i = 0; i < reachable->size(); ++i) {
    const TviewDefinition& tview = graph_.order()[i];
    const bool is_dormant = tview.is_quarantined && !requests_.IsRequested(tview.relation) &&
                            !standings_.IsToRetry(tview.relation, GetCurrentTimestamp());
    if (!(*reachable)[i] || is_dormant) continue;
    if (requests_.IsRequested(tview.relation)) standings_.Ask(tview.relation);
    TVIEWS_ASSIGN_OR_RETURN(const std::string obstacle, behind_.ObstacleFor(tview, locks_, graph_));
    if (!obstacle.empty()) {
      (*reachable)[i] = false;
      requests_.Postpone(tview.relation);
      // What is only asked for is owed too: so it is tried again, and seen to wait.
      const bool is_to_compare =
          coalescer->IsToCompare(tview.relation) ||
          (requests_.IsRequested(tview.relation) && !standings_.IsBehind(tview.relation));
      TVIEWS_RETURN_IF_ERROR(
          behind_.LeaveAside(tview, obstacle, Here(), coalescer->DeltasFor(tview), is_to_compare));
      continue;
    }
    TVIEWS_RETURN_IF_ERROR(RefreshWithin(tview, careful, coalescer));
  }
  return absl::OkStatus();
}

// Within the time and the memory that the TVIEW may take.
absl::Status BatchRunner::RefreshWithin(const TviewDefinition& tview, bool careful,
                                        Coalescer* coalescer) {
  const auto timeout = tview.refresh_timeout.value_or(pg::settings::refresh_timeout);
  const auto memory = tview.refresh_memory.value_or(pg::settings::refresh_memory);
  stuck_ = tview.relation;
  stuck_since_ = GetCurrentTimestamp();
  if (stuck_since_ - measured_at_ > kMeasureAgain) {
    measured_at_ = stuck_since_;
    data_in_use_ = DataInUse();
  }
  BatchWatch::BeginTview(
      tview.relation,
      audit_.Contains(tview.relation) ? Audit::kMaxStepMs : static_cast<std::int64_t>(timeout),
      standings_.GivesWay(tview.relation));
  {
    const MemoryLimit limit(data_in_use_, memory * 1024);
    TVIEWS_RETURN_IF_ERROR(RefreshOne(tview, careful, coalescer));
  }
  BatchWatch::EndTview();
  stuck_ = 0;
  return absl::OkStatus();
}

// The keys of `tview` that a session asks for, that the batch's deltas affect, or that it owes.
absl::StatusOr<AffectedKeys> BatchRunner::KeysFor(const TviewDefinition& tview,
                                                  const Coalescer& coalescer,
                                                  TviewRefresh* refresh) {
  DeltaSet owed;
  const bool is_behind = standings_.IsBehind(tview.relation);
  if (is_behind) {
    TVIEWS_ASSIGN_OR_RETURN(owed, behind_.CatchUp(tview));
  }
  if (audit_.Contains(tview.relation)) return audit_.Sample(tview, &executor_);
  AffectedKeys everything;
  everything.everything = true;
  if (requests_.IsRequested(tview.relation)) {
    everything.why = "requested";
    return everything;
  }
  if (tview.is_quarantined) {
    standings_.Retry(tview.relation, GetCurrentTimestamp());
    everything.why = "in quarantine";
    return everything;
  }
  if (owed.TakeWhole(tview.relation) || coalescer.IsToCompare(tview.relation)) {
    everything.why = "what it is defined by changed";
    return everything;
  }
  if (!is_behind) return refresh->FindKeys(coalescer.DeltasFor(tview));
  owed.Merge(coalescer.DeltasFor(tview));
  return refresh->FindKeys(owed);
}

absl::Status BatchRunner::RefreshOne(const TviewDefinition& tview, bool careful,
                                     Coalescer* coalescer) {
  const bool is_requested = requests_.IsRequested(tview.relation);
  const Timestamp begin = GetCurrentTimestamp();
  ShowSearch(tview);
  const ReaderColumns readers = ReadersOf(tview.relation);
  // What fails in an audit, and only that, ends in quarantine.
  const bool is_audited = audit_.Contains(tview.relation);
  TviewRefresh refresh(tview, readers, careful || is_audited, is_requested,
                       standings_.TrustIn(tview.relation), &executor_);
  TVIEWS_ASSIGN_OR_RETURN(const AffectedKeys affected, KeysFor(tview, *coalescer, &refresh));
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
  executor_.NoteWrittenKeys(is_audited ? audit_.repaired() : nullptr);
  absl::StatusOr<WriteCounts> applied = refresh.Apply(affected, &changes);
  executor_.NoteWrittenKeys(nullptr);
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts, std::move(applied));
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("mid_refresh"));
  requests_.Note(tview.relation, counts, refresh.told());
  if (!is_requested && !refresh.failure().ok()) {
    standings_.Quarantine(tview.relation, GetCurrentTimestamp());
  }
  if (is_audited) audit_.Note(affected.keys.size(), counts);
  // An audit that finds nothing is no refresh.
  if (is_audited && !audit_.has_differences() && refresh.errors() == 0) return absl::OkStatus();
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
  ServerOutbox outbox(snapshot);
  TVIEWS_RETURN_IF_ERROR(reader_.DeleteConsumed(&outbox));
  TVIEWS_RETURN_IF_ERROR(log_.Write());
  return pg::StoreFrontier(snapshot, bounds, totals_);
}

// Every record that a fill could cover has been in this batch or an earlier one. Rows that a
// session is changing (it renames or drops the TVIEW) are left to a later batch: one must not wait
// for it.
absl::Status BatchRunner::ClearFills() {
  graph_generation_ = 0;
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("UPDATE ", meta,
                                  " SET fill_snapshot = NULL, fill_creator = NULL WHERE tview IN"
                                  " (SELECT tview FROM ",
                                  meta, " WHERE fill_snapshot IS NOT NULL FOR UPDATE SKIP LOCKED)"))
          .status());
  // Sessions no longer wait for these TVIEWs' first batch.
  return pg::InvalidateCatalog();
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
  const std::uint64_t rows = totals_.inserted + totals_.updated + totals_.deleted;
  if (totals_.records == 0 && totals_.full_refreshes == 0 && rows == 0) return;
  activity.last_batch_at.Store(GetCurrentTimestamp());
  activity.last_batch_us.Store(static_cast<std::uint64_t>(GetCurrentTimestamp() - begin));
  activity.last_batch_records.Store(totals_.records);
  activity.last_batch_rows.Store(rows);
  activity.batches.Add(1);
  activity.records.Add(totals_.records);
  activity.rows_written.Add(rows);
  activity.rows_unchanged.Add(totals_.unchanged);
  activity.full_refreshes.Add(totals_.full_refreshes);
}

}  // namespace tviews::worker
