#include "worker/batch/refresh_round.h"

#include <algorithm>
#include <set>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/server/settings.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_records.h"
#include "worker/batch/batch_watch.h"
#include "worker/batch/tview_work.h"
#include "worker/batch/worker_activity.h"
#include "worker/refresh/memory_limit.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

RefreshRound::RefreshRound(BatchState* state, Coalescer* coalescer, BatchMode mode)
    : state_(*state),
      graph_(state->catalog.graph()),
      coalescer_(*coalescer),
      mode_(mode),
      reachable_(FindReachable()) {}

std::vector<bool> RefreshRound::FindReachable() const {
  const Timestamp now = GetCurrentTimestamp();
  std::vector<bool> reachable(graph_.order().size(), false);
  const auto mark_readers = [&](RelationId source) {
    for (const std::size_t position : graph_.Reachable(source)) reachable[position] = true;
  };
  for (const RelationId relation : coalescer_.ChangedRelations()) mark_readers(relation);
  for (std::size_t i = 0; i < graph_.order().size(); ++i) {
    const RelationId tview = graph_.order()[i].relation;
    const TviewDefinition& definition = graph_.order()[i];
    if (!IsDue(tview, now) && !state_.fills.IsNext(tview) && !state_.clock.IsDue(definition) &&
        !state_.clock.HasPassed(definition)) {
      continue;
    }
    reachable[i] = true;
    mark_readers(tview);
  }
  return reachable;
}

// For another reason than a change of its sources.
bool RefreshRound::IsDue(RelationId tview, Timestamp now) const {
  return state_.requests.IsRequested(tview) || state_.standings.IsBehind(tview) ||
         coalescer_.IsToCompare(tview) || state_.standings.IsToRetry(tview, now) ||
         state_.standings.IsAccused(tview) || state_.audit.Contains(tview) ||
         state_.audit.IsSuspect(tview);
}

// True of a TVIEW in quarantine whose pause is not over, unless a session asks for it.
bool RefreshRound::IsPassedBy(const TviewDefinition& tview) const {
  return tview.is_quarantined && !state_.requests.IsRequested(tview.relation) &&
         !state_.standings.IsToRetry(tview.relation, GetCurrentTimestamp());
}

absl::Status RefreshRound::Run() {
  for (std::size_t i = 0; i < reachable_.size(); ++i) {
    const TviewDefinition& tview = graph_.order()[i];
    if (!reachable_[i] || IsPassedBy(tview)) continue;
    if (state_.requests.IsRequested(tview.relation)) state_.standings.Ask(tview.relation);
    TVIEWS_ASSIGN_OR_RETURN(const std::string obstacle,
                            state_.behind.ObstacleFor(tview, state_.locks, graph_));
    if (obstacle.empty()) {
      TVIEWS_RETURN_IF_ERROR(RefreshWithinLimits(tview));
    } else {
      reachable_[i] = false;
      TVIEWS_RETURN_IF_ERROR(LeaveAside(tview, obstacle));
    }
  }
  return absl::OkStatus();
}

absl::Status RefreshRound::LeaveAside(const TviewDefinition& tview, const std::string& obstacle) {
  state_.requests.Postpone(tview.relation);
  // What is only asked for is owed too: so it is tried again, and seen to wait.
  const bool is_to_compare =
      coalescer_.IsToCompare(tview.relation) || state_.clock.IsDue(tview) ||
      state_.clock.HasPassed(tview) || state_.fills.IsToBegin(tview.relation) ||
      state_.audit.IsSuspect(tview.relation) ||
      (state_.requests.IsRequested(tview.relation) && !state_.standings.IsBehind(tview.relation));
  return state_.behind.LeaveAside(tview, obstacle, Here(), coalescer_.DeltasFor(tview),
                                  is_to_compare);
}

// Whose refresh succeeds, ends no applier any more.
void RefreshRound::NoteEnd(RelationId tview) {
  Shared<RelationId>& culprit = state_.slot->culprit.tview;
  if (culprit.Load() == tview) culprit.Store(0);
}

// Within the time and the memory that the TVIEW may take.
absl::Status RefreshRound::RefreshWithinLimits(const TviewDefinition& tview) {
  const auto timeout = tview.refresh_timeout.value_or(pg::settings::refresh_timeout);
  const auto memory = tview.refresh_memory.value_or(pg::settings::refresh_memory);
  const bool is_audited = state_.audit.Contains(tview.relation);
  state_.refreshing = tview.relation;
  state_.refreshing_since = GetCurrentTimestamp();
  const TviewWork work(state_.slot, graph_, tview.relation, state_.refreshing_since);
  BatchWatch::BeginTview(tview.relation,
                         is_audited ? Audit::kMaxStepMs : static_cast<std::int64_t>(timeout),
                         state_.standings.GivesWay(tview.relation));
  {
    const MemoryLimit limit(state_.data_in_use.At(state_.refreshing_since), memory * 1024);
    TVIEWS_RETURN_IF_ERROR(Refresh(tview));
  }
  BatchWatch::EndTview();
  NoteEnd(tview.relation);
  state_.refreshing = 0;
  return absl::OkStatus();
}

absl::Status RefreshRound::Refresh(const TviewDefinition& tview) {
  const Timestamp begin = GetCurrentTimestamp();
  const bool is_requested = state_.requests.IsRequested(tview.relation);
  Audit* const audit = state_.audit.Contains(tview.relation) ? &state_.audit : nullptr;
  if (audit != nullptr && audit->is_of_states()) return audit->CompareStates(tview, &state_.groups);
  state_.requests.Begin(tview.relation);
  ShowSearch(tview);
  const ReaderColumns readers = ReadersOf(tview.relation);
  // What fails in an audit, and only that, ends in quarantine.
  TviewRefresh refresh(tview, readers,
                       {.mode = audit != nullptr ? BatchMode::kApart : mode_,
                        .is_requested = is_requested,
                        .trust = std::max(state_.standings.TrustIn(tview.relation),
                                          state_.fills.TrustIn(tview.relation))},
                       &state_.executor);
  TVIEWS_ASSIGN_OR_RETURN(const AffectedKeys affected, KeysFor(tview, &refresh));
  // A row without a key names none, but it must not be there either.
  if (affected.empty() && !affected.MayConcernNullKey(tview)) return state_.fills.Note(tview, 0);
  Show(tview, affected);
  // An audit computes from the sources, and so does a comparison of the whole: what a state says is
  // no evidence.
  UsableStates states;
  if (affected.everything) {
    TVIEWS_RETURN_IF_ERROR(state_.groups.Doubt(tview.relation));
  } else if (audit == nullptr) {
    TVIEWS_ASSIGN_OR_RETURN(states, state_.groups.Prepare(tview));
  }
  state_.executor.UseStates(&states);
  DeltaSet changes;
  state_.executor.NoteWrittenKeys(audit == nullptr ? nullptr : audit->repaired());
  absl::StatusOr<WriteCounts> applied = refresh.Apply(affected, &changes);
  state_.executor.NoteWrittenKeys(nullptr);
  state_.executor.UseStates(nullptr);
  TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts, std::move(applied));
  TVIEWS_RETURN_IF_ERROR(
      pg::PausePoint(state_.catalog.is_main() ? "mid_refresh" : "lane_mid_refresh"));
  state_.requests.Note(tview.relation, counts, refresh.told());
  if (refresh.failure().ok()) {
    TVIEWS_RETURN_IF_ERROR(
        state_.fills.Note(tview, counts.inserted + counts.updated + counts.unchanged));
  }
  if (!is_requested && !refresh.failure().ok()) {
    state_.standings.Quarantine(tview.relation, GetCurrentTimestamp());
  }
  if (audit != nullptr) {
    audit->Note(affected.keys.size(), counts);
    // They may be wrong because a state is.
    if (audit->has_differences()) TVIEWS_RETURN_IF_ERROR(state_.groups.Doubt(tview.relation));
  }
  // An audit that finds nothing is no refresh.
  if (audit != nullptr && !audit->has_differences() && refresh.errors() == 0) {
    return absl::OkStatus();
  }
  Count(tview, affected, counts,
        {.errors = refresh.errors(), .reads_states = !states.list.empty(), .begin = begin});
  coalescer_.FoldRefreshed(std::move(changes), ChangedAt(tview));
  // The TVIEWs that follow see what this one wrote, under the same snapshot.
  return pg::Call([] {
    CommandCounterIncrement();
    PopActiveSnapshot();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

// What is refreshed of `tview`; of one that is being filled, its next slice too.
absl::StatusOr<AffectedKeys> RefreshRound::KeysFor(const TviewDefinition& tview,
                                                   TviewRefresh* refresh) {
  TVIEWS_ASSIGN_OR_RETURN(AffectedKeys affected, KeysToFollow(tview, refresh));
  if (!state_.fills.Has(tview.relation)) return affected;
  return state_.fills.Extend(
      tview, std::move(affected),
      {.is_requested = state_.requests.IsRequested(tview.relation) || tview.is_quarantined,
       .mode = mode_},
      &state_.executor);
}

// The keys of `tview` that a session asks for, that the batch's deltas affect, or that it owes.
absl::StatusOr<AffectedKeys> RefreshRound::KeysToFollow(const TviewDefinition& tview,
                                                        TviewRefresh* refresh) {
  DeltaSet owed;
  const bool is_behind = state_.standings.IsBehind(tview.relation);
  if (is_behind) {
    TVIEWS_ASSIGN_OR_RETURN(owed, state_.behind.CatchUp(tview));
  }
  if (state_.audit.Contains(tview.relation)) return state_.audit.Sample(tview, &state_.executor);
  AffectedKeys everything;
  everything.everything = true;
  if (state_.requests.IsRequested(tview.relation)) {
    everything.why = "requested";
    return everything;
  }
  if (tview.is_quarantined) {
    state_.standings.Retry(tview.relation, GetCurrentTimestamp());
    everything.why = "in quarantine";
    return everything;
  }
  if (owed.TakeWhole(tview.relation) || coalescer_.IsToCompare(tview.relation)) {
    everything.why = "what it is defined by changed";
    return everything;
  }
  if (state_.audit.IsSuspect(tview.relation)) {
    everything.why = "its group state was wrong";
    return everything;
  }
  if (state_.clock.IsDue(tview)) {
    everything.why = "its clock_period is over";
    return everything;
  }
  AffectedKeys affected;
  if (is_behind) {
    owed.Merge(coalescer_.DeltasFor(tview));
    TVIEWS_ASSIGN_OR_RETURN(affected, refresh->FindKeys(owed));
  } else {
    TVIEWS_ASSIGN_OR_RETURN(affected, refresh->FindKeys(coalescer_.DeltasFor(tview)));
  }
  TVIEWS_RETURN_IF_ERROR(AddPassed(tview, &affected));
  return affected;
}

// The keys of rows that have changed by themselves. Where these cannot be found the whole is
// compared, as after a lookup that fails.
absl::Status RefreshRound::AddPassed(const TviewDefinition& tview, AffectedKeys* affected) {
  if (!state_.clock.HasPassed(tview)) return absl::OkStatus();
  if (mode_ == BatchMode::kTogether)
    return state_.clock.AddPassed(tview, &state_.executor, affected);
  const absl::Status status = pg::RunSubtransaction(
      [&] { return state_.clock.AddPassed(tview, &state_.executor, affected); });
  if (status.ok() ||
      !IsAgainstTheData(BatchWatch::EndingOf(status), state_.standings.TrustIn(tview.relation))) {
    return status;
  }
  affected->everything = true;
  affected->why = "a deadline failed: " + std::string(status.message());
  return absl::OkStatus();
}

void RefreshRound::Show(const TviewDefinition& tview, const AffectedKeys& affected) {
  pg::ApplierActivity& activity = state_.slot->activity;
  activity.is_full.Store(affected.everything ? 1 : 0);
  activity.keys_total.Store(affected.keys.size());
  activity.keys_done.Store(0);
  activity.is_searching.Store(0);
  ShowRefresh(tview, affected);
}

void RefreshRound::Count(const TviewDefinition& tview, const AffectedKeys& affected,
                         const WriteCounts& counts, const Course& course) {
  pg::BatchTotals& totals = state_.totals;
  totals.inserted += counts.inserted;
  totals.updated += counts.updated;
  totals.deleted += counts.deleted;
  totals.unchanged += counts.unchanged;
  if (affected.everything) ++totals.full_refreshes;
  state_.log.Add(tview.entity,
                 {.tview = tview.relation,
                  .is_full = affected.everything,
                  .keys = affected.keys.size(),
                  .inserted = counts.inserted,
                  .updated = counts.updated,
                  .deleted = counts.deleted,
                  .unchanged = counts.unchanged,
                  .errors = course.errors,
                  .reads_states = course.reads_states,
                  .duration_us = static_cast<std::uint64_t>(GetCurrentTimestamp() - course.begin),
                  .changed_at = ChangedAt(tview)});
}

// When the oldest of the changes was written that led to this refresh; 0: no change did.
Timestamp RefreshRound::ChangedAt(const TviewDefinition& tview) const {
  return state_.requests.IsRequested(tview.relation) ? 0 : coalescer_.OldestChangeFor(tview);
}

ReaderColumns RefreshRound::ReadersOf(RelationId tview) const {
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

}  // namespace tviews::worker
