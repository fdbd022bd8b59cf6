#include "worker/batch/batch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_records.h"
#include "worker/batch/batch_watch.h"
#include "worker/batch/inheritance_check.h"
#include "worker/batch/quarantine.h"
#include "worker/batch/refresh_round.h"
#include "worker/feed/batch_message.h"
#include "worker/feed/feed_rows.h"

#include "shared/pg/boundary/postgres_begin.h"
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

// What ends an applier twice would end the next one, too.
constexpr int kEndsToAccuse = 2;
// What a refresh that ends its applier has cost the others, at least.
constexpr Timestamp kLeastOfDeaf = 60 * Timestamp{1000000};
constexpr Timestamp kRestart = 6 * Timestamp{1000000};

// Before those who wait for the batch are woken: they may look.
void ReportStatistics() {
  const absl::Status reported = pg::Call([] { pgstat_report_stat(true); });
  if (!reported.ok()) pg::LogFailure(reported, "statistics of a batch are reported with the next");
  pg::cache_stats::Flush();
}

absl::StatusOr<SnapshotData*> TakeSnapshot() {
  return pg::CallFor([]() -> SnapshotData* {
    PushActiveSnapshot(GetTransactionSnapshot());
    return GetActiveSnapshot();
  });
}

}  // namespace

BatchEnd BatchRunner::Run(BatchMode mode) {
  Begin();
  SnapshotBounds frontier;
  absl::Status status = pg::RunTransaction([&] { return InTransaction(mode, &frontier); });
  state_.slot->activity.tview.Store(0);
  ReportStatistics();
  return status.ok() ? AfterCommit(frontier) : AfterFailure(mode, std::move(status));
}

void BatchRunner::Begin() {
  began_at_ = GetCurrentTimestamp();
  held_back_since_ = 0;
  state_.slot->activity.batch_started.Store(began_at_);
  state_.totals = {};
  state_.refreshing = 0;
  state_.log.Begin();
  state_.catalog.BeginBatch();
  state_.slot->hurry.Store(0);
  reader_.BeforeSnapshot([] { return pg::NextXid(); });
  state_.requests.Take();
  AccuseCulprit();
}

absl::Status BatchRunner::InTransaction(BatchMode mode, SnapshotBounds* bounds) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::MemoryScope memory, pg::MemoryScope::Make("pg_tviews batch"));
  BatchWatch watch;
  state_.catalog.BeforeSnapshot();
  TVIEWS_ASSIGN_OR_RETURN(SnapshotData* const snapshot, TakeSnapshot());
  *bounds = pg::BoundsOf(snapshot);
  TVIEWS_RETURN_IF_ERROR(PausePoint("after_snapshot", "lane_after_snapshot"));
  state_.behind.BeginBatch();
  state_.standings.BeginBatch();
  TVIEWS_RETURN_IF_ERROR(state_.catalog.LoadIfStale());
  TVIEWS_ASSIGN_OR_RETURN(BatchOutbox* const outbox, OutboxUnder(snapshot));
  TVIEWS_ASSIGN_OR_RETURN(Coalescer coalescer, CollectRecords(&reader_, outbox, &state_.catalog));
  TVIEWS_RETURN_IF_ERROR(
      state_.clock.BeginBatch(snapshot, state_.catalog.graph(), state_.catalog.loads()));
  TVIEWS_RETURN_IF_ERROR(
      state_.fills.BeginBatch(state_.catalog.graph(), state_.catalog.loads(), state_.standings));
  state_.slot->activity.walked.Store(reader_.walked());
  state_.totals.records = coalescer.records();
  if (state_.standings.MustBeApart() || state_.fills.MustBeApart()) mode = BatchMode::kApart;
  // What fails because of a helper, or of a row of another key, is repeated without.
  state_.executor.SetMode(mode);
  TVIEWS_RETURN_IF_ERROR(PausePoint("after_take", "lane_after_take"));
  TVIEWS_ASSIGN_OR_RETURN(const Work work, FindWork(coalescer));
  if (!work.has_news) state_.clock.Hold();
  if (work.any()) {
    state_.slot->activity.state.Store(static_cast<std::int32_t>(pg::ApplierState::kApplying));
    RefreshRound round(&state_, &coalescer, mode);
    TVIEWS_RETURN_IF_ERROR(state_.locks.Acquire(state_.catalog.graph(), round.reachable()));
    const bool may_be_late = work.has_news && LaneHandover::Prepare(state_.catalog);
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      watch.Begin(state_.locks.taken());
      if (may_be_late) BatchWatch::HurryLanesWhenLate();
    }));
    TVIEWS_RETURN_IF_ERROR(state_.catalog.CheckUnmoved());
    state_.executor.BeginBatch(bounds);
    // Only the main lane's batches have every record, each once.
    if (state_.catalog.is_main()) {
      TVIEWS_RETURN_IF_ERROR(state_.groups.Follow({.loads = state_.catalog.loads(),
                                                   .deltas = coalescer.common(),
                                                   .here = Here(),
                                                   .graph = state_.catalog.graph(),
                                                   .standings = state_.standings}));
    }
    TVIEWS_RETURN_IF_ERROR(round.Run());
    if (work.has_news) TVIEWS_RETURN_IF_ERROR(state_.clock.FindNext(state_.catalog.graph()));
    // Where only TVIEWs that are behind were tried, in vain, there is nothing to write.
    if (work.has_news || state_.behind.has_changed() || state_.audit.has_differences()) {
      TVIEWS_RETURN_IF_ERROR(Consume(coalescer, *bounds));
      TVIEWS_RETURN_IF_ERROR(CheckInheritance(state_.catalog.graph(), round.reachable()));
      if (mode == BatchMode::kApart) TVIEWS_RETURN_IF_ERROR(NoteQuarantine(&state_.standings));
    }
    // Last: another lane that has something to tell waits from here on.
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { WriteFeedRows(); }));
  }
  TVIEWS_RETURN_IF_ERROR(PausePoint("before_commit", "lane_before_commit"));
  return pg::Call([] { PopActiveSnapshot(); });
}

// So that tests stop one of them.
absl::Status BatchRunner::PausePoint(const char* of_main, const char* of_other) const {
  return pg::PausePoint(state_.catalog.is_main() ? of_main : of_other);
}

absl::StatusOr<BatchOutbox*> BatchRunner::OutboxUnder(SnapshotData* snapshot) {
  server_outbox_.reset();
  lane_outbox_.reset();
  if (state_.catalog.is_main()) return &server_outbox_.emplace(snapshot);
  TVIEWS_ASSIGN_OR_RETURN(SnapshotBounds frontier, pg::ReadFrontier(snapshot, state_.lane));
  return &lane_outbox_.emplace(snapshot, state_.lane, std::move(frontier));
}

absl::StatusOr<BatchRunner::Work> BatchRunner::FindWork(const Coalescer& coalescer) {
  const Timestamp now = GetCurrentTimestamp();
  Work work;
  work.has_news = coalescer.records() > 0 || state_.requests.has_new() ||
                  (lane_outbox_.has_value() && lane_outbox_->has_owed()) ||
                  state_.catalog.has_fills() || state_.standings.AnyAccused() ||
                  state_.standings.AnyToRetry(now) || state_.clock.AnyDue(state_.catalog.graph()) ||
                  state_.fills.is_due() || state_.audit.has_suspect();
  work.tries_behind = state_.standings.TryDueMs(now) == 0;
  if (work.any() || !state_.audit.IsDue()) return work;
  TVIEWS_ASSIGN_OR_RETURN(
      work.is_audit,
      state_.audit.Begin(state_.catalog.graph(), state_.standings, state_.fills, state_.groups));
  return work;
}

absl::Status BatchRunner::Consume(const Coalescer& coalescer, const SnapshotBounds& bounds) {
  TVIEWS_RETURN_IF_ERROR(PausePoint("before_consume", "lane_before_consume"));
  SnapshotData* const snapshot = GetActiveSnapshot();
  if (lane_outbox_.has_value()) {
    TVIEWS_RETURN_IF_ERROR(reader_.DeleteConsumed(&*lane_outbox_));
    // A lane that its last TVIEW has left has no frontier.
    if (state_.catalog.graph().order().empty()) return absl::OkStatus();
  } else {
    TVIEWS_RETURN_IF_ERROR(handover_.Write(state_.catalog, coalescer, bounds));
    ServerOutbox outbox(snapshot);
    TVIEWS_RETURN_IF_ERROR(reader_.DeleteConsumed(&outbox));
  }
  TVIEWS_RETURN_IF_ERROR(state_.log.Write(state_.catalog.is_main()));
  TVIEWS_RETURN_IF_ERROR(
      pg::StoreFrontier(snapshot, state_.lane, bounds, state_.clock.time(), state_.totals));
  TVIEWS_RETURN_IF_ERROR(TellBatch(state_.lane, bounds, state_.totals));
  return state_.catalog.has_fills() ? state_.catalog.ClearFills() : absl::OkStatus();
}

BatchEnd BatchRunner::AfterCommit(const SnapshotBounds& frontier) {
  if (state_.audit.is_running()) {
    state_.audit.AfterCommit();
  } else {
    state_.audit.ClearSuspect();
  }
  absl::Status status = PausePoint("after_apply", "lane_after_apply");
  if (!status.ok()) return {.ending = EndingOf(status), .error = std::move(status)};
  // Before the waiters are woken: they may look.
  Report();
  state_.log.Publish();
  state_.behind.AfterCommit();
  state_.standings.Commit();
  state_.fills.AfterCommit();
  // Before the frontier is shown: who waits for both this lane and another finds its news there.
  if (state_.catalog.is_main()) handover_.AfterCommit(state_.catalog);
  PublishFrontier(frontier);
  state_.requests.AfterCommit();
  return {};
}

BatchEnd BatchRunner::AfterFailure(BatchMode mode, absl::Status error) {
  const Ending ending = EndingOf(error);
  const bool is_audit = state_.audit.is_running();
  const bool leaves_aside = state_.refreshing != 0 && !is_audit && Blame(ending, error);
  state_.requests.AfterFailure();
  state_.fills.AfterFailure(state_.refreshing, ending);
  handover_.AfterFailure();
  state_.catalog.Forget();
  if (!is_audit) {
    return {.ending = ending, .error = std::move(error), .leaves_aside = leaves_aside};
  }
  // An audit is in nobody's way: the batch is begun again without it.
  state_.audit.AfterFailure(error);
  return Run(mode);
}

Ending BatchRunner::EndingOf(const absl::Status& status) const {
  if (state_.catalog.has_moved()) return Ending::kOutdated;
  if (state_.locks.is_contended()) return Ending::kLockInTheWay;
  return BatchWatch::EndingOf(status);
}

// The batch failed with `status` while a TVIEW was refreshed. True if it is left aside for a fault.
bool BatchRunner::Blame(Ending ending, const absl::Status& status) {
  const Timestamp now = GetCurrentTimestamp();
  const std::string fault = state_.standings.Blame(state_.refreshing,
                                                   {.ending = ending,
                                                    .error = std::string(status.message()),
                                                    .spent = now - state_.refreshing_since},
                                                   now);
  if (fault.empty()) return false;
  state_.requests.Fail(state_.refreshing, IsInterruption(ending) ? LeftBehind(fault) : status);
  return true;
}

// Appliers before this one have ended while they refreshed one TVIEW: one that could not be
// cancelled and had to go, or two in a row, for whatever reason.
void BatchRunner::AccuseCulprit() {
  pg::Culprit& culprit = state_.slot->culprit;
  const RelationId tview = culprit.tview.Load();
  if (tview == 0) return;
  const bool is_deaf = culprit.is_deaf.Exchange(0) != 0;
  if (!is_deaf && culprit.ends.Load() < kEndsToAccuse) return;
  // From now on the next end is enough, until a refresh comes to an end.
  culprit.ends.Store(kEndsToAccuse - 1);
  const std::string fault =
      is_deaf ? "its refresh did not end when it was cancelled, and ended the applier"
              : "its refresh ends the applier";
  const Timestamp spent =
      is_deaf ? std::max(kLeastOfDeaf, Timestamp{pg::settings::refresh_timeout} * 1000) : kRestart;
  state_.standings.Accuse(tview, fault, spent, GetCurrentTimestamp());
  state_.requests.Fail(tview, LeftBehind(fault));
}

void BatchRunner::Report() {
  pg::ApplierActivity& activity = state_.slot->activity;
  const pg::BatchTotals& totals = state_.totals;
  if (reader_.scanned()) activity.scans.Add(1);
  const std::uint64_t rows = totals.inserted + totals.updated + totals.deleted;
  if (totals.records == 0 && totals.full_refreshes == 0 && rows == 0) return;
  const Timestamp now = GetCurrentTimestamp();
  activity.last_batch_at.Store(now);
  activity.last_batch_us.Store(static_cast<std::uint64_t>(now - began_at_));
  last_took_ = now - began_at_;
  activity.last_batch_records.Store(totals.records);
  activity.last_batch_rows.Store(rows);
  activity.batches.Add(1);
  activity.records.Add(totals.records);
  activity.rows_written.Add(rows);
  activity.rows_unchanged.Add(totals.unchanged);
  activity.full_refreshes.Add(totals.full_refreshes);
}

// The frontier does not hold for TVIEWs that were left aside, nor for those that wait to be
// adopted.
void BatchRunner::PublishFrontier(const SnapshotBounds& frontier) {
  std::vector<pg::BusyLock> busy = state_.locks.missing();
  const std::vector<pg::BusyLock>& adoption = state_.catalog.adoption_locks();
  busy.insert(busy.end(), adoption.begin(), adoption.end());
  state_.slot->given_up.Store(static_cast<std::int32_t>(state_.standings.GivenUp()));
  state_.slot->clock_due.Store(state_.clock.NextDue(state_.catalog.graph()));
  reader_.AfterCommit(
      [&] { ShowFrontier(state_.slot, frontier, state_.standings.WaitedFor(), busy); });
  WakeReaders(state_.slot);
}

bool BatchRunner::HasNews() const { return reader_.HasWork() || state_.slot->hurry.Load() != 0; }

bool BatchRunner::HasWork() const {
  return HasNews() || state_.requests.AnyWaiting() || state_.audit.has_suspect() ||
         state_.standings.AnyToRetry(GetCurrentTimestamp());
}

// A ticket or a request comes from somebody who waits: that is no time to wait for more.
bool BatchRunner::IsHeldBack() {
  const auto target = static_cast<Timestamp>(state_.catalog.lag_target()) * 1000;
  const QueueCounters& counters = state_.slot->counters;
  const bool is_asked_for =
      counters.requested.Load() > counters.served.Load() || state_.requests.AnyWaiting();
  // What has changed may be the target.
  if (target == 0 || is_asked_for || !HasNews() || state_.catalog.is_stale()) {
    held_back_since_ = 0;
    return false;
  }
  if (held_back_since_ == 0) held_back_since_ = GetCurrentTimestamp();
  return HeldBackMs() > 0;
}

// The batch has to be over when the target is.
long BatchRunner::HeldBackMs() const {
  const auto target = static_cast<Timestamp>(state_.catalog.lag_target()) * 1000;
  const Timestamp due = held_back_since_ + std::max<Timestamp>(target - last_took_, 0);
  return static_cast<long>(std::max<Timestamp>((due - GetCurrentTimestamp() + 999) / 1000, 0));
}

long BatchRunner::ClockDueMs() const {
  const Timestamp due = state_.slot->clock_due.Load();
  if (due == 0) return -1;
  return static_cast<long>(std::max<Timestamp>(0, (due - GetCurrentTimestamp() + 999) / 1000));
}

long BatchRunner::BehindDueMs() const { return state_.standings.LookDueMs(GetCurrentTimestamp()); }

}  // namespace tviews::worker
