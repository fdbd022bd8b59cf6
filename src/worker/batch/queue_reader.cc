#include "worker/batch/queue_reader.h"

#include <algorithm>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <storage/condition_variable.h>
#include <utils/snapshot.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

using pg::ExclusiveHolder;
using pg::ReadHolder;

// Frames that are marked while writers wait.
constexpr std::size_t kFinishedPerStep = 1024;

void QueueReader::BeforeSnapshot() {
  // `finished` before `started`: a transaction that begins to overflow in between makes them
  // differ, never agree.
  overflow_finished_ = slot_->overflow.finished.Load();
  overflow_started_ = slot_->overflow.started.Load();
  unslotted_finished_ = pg::Slots()->unslotted.finished.Load();
  unslotted_started_ = pg::Slots()->unslotted.started.Load();
  ticket_ = slot_->requested.Load();
}

bool QueueReader::NeedsScan() const {
  return slot_->overflow.started.Load() != slot_->clean.Load() ||
         pg::Slots()->unslotted.started.Load() != slot_->clean_unslotted.Load();
}

absl::Status QueueReader::Collect(
    SnapshotData* snapshot, absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit) {
  finished_.clear();
  consumed_.clear();
  next_kept_.clear();
  scanned_ = NeedsScan();
  if (!scanned_) {
    TVIEWS_RETURN_IF_ERROR(CollectRing(snapshot, visit));
    TVIEWS_RETURN_IF_ERROR(CollectKept(snapshot, visit));
    if (!scanned_) return absl::OkStatus();
    // Records were met whose outcome only the outbox tells: visiting the others twice is harmless.
    consumed_.clear();
    next_kept_.clear();
    return CollectOutbox(snapshot, visit);
  }
  // All visible rows are the batch; the queue's entries for them are only dropped.
  TVIEWS_RETURN_IF_ERROR(
      CollectRing(snapshot, [](FullXid, std::string_view) { return absl::OkStatus(); }));
  consumed_.clear();
  return CollectOutbox(snapshot, visit);
}

absl::Status QueueReader::CollectRing(
    SnapshotData* snapshot, absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit) {
  RecordRing ring(slot_->ring);
  {
    ReadHolder holder(slot_->queue_lock);
    walked_ = ring.tail();
  }
  slot_->activity.walked.Store(walked_);
  unended_.clear();
  absl::Status status;
  bool forgotten = false;
  ring.ForEach(walked_, [&](const Frame& frame) {
    if (frame.state == FrameState::kVoid || frame.state == FrameState::kDone) return true;
    absl::StatusOr<pg::Outcome> outcome = pg::OutcomeUnder(snapshot, frame.content.xid, &forgotten);
    if (!outcome.ok()) {
      status = outcome.status();
      return false;
    }
    if (*outcome == pg::Outcome::kInProgress) {
      unended_.insert(frame.content.xid);
      return true;
    }
    finished_.push_back(frame.position);
    if (*outcome == pg::Outcome::kAborted) return true;
    if (scanned_) return true;
    consumed_.push_back({frame.content.outbox_row, frame.content.xid});
    if (!frame.content.payload.empty()) {
      status = visit(frame.content.xid, frame.content.payload);
    } else {
      status = pg::Outbox::Fetch(
          snapshot, frame.content.outbox_row, frame.content.xid,
          [&](std::string_view payload) { return visit(frame.content.xid, payload); });
    }
    return status.ok();
  });
  // An entry older than the commit log may have committed: the outbox tells.
  if (forgotten) scanned_ = true;
  return status;
}

absl::Status QueueReader::CollectKept(
    SnapshotData* snapshot, absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit) {
  bool forgotten = false;
  for (const pg::Outbox::Consumed& kept : kept_) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::Outcome outcome,
                            pg::OutcomeUnder(snapshot, kept.xid, &forgotten));
    if (outcome == pg::Outcome::kInProgress) next_kept_.push_back(kept);
    if (outcome != pg::Outcome::kCommitted) continue;
    consumed_.push_back(kept);
    TVIEWS_RETURN_IF_ERROR(
        pg::Outbox::Fetch(snapshot, kept.row, kept.xid,
                          [&](std::string_view payload) { return visit(kept.xid, payload); }));
  }
  if (forgotten) scanned_ = true;
  return absl::OkStatus();
}

// Of rows in progress only those are kept whose transactions had begun before S: later ones have
// published, or been counted, since. So there are no more than a snapshot has transactions, each
// with a limited number of records, however long the scan takes.
absl::Status QueueReader::CollectOutbox(
    SnapshotData* snapshot, absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit) {
  const FullXid begun_before = pg::WidenXid(snapshot->xmax);
  return pg::Outbox::ScanAll(
      snapshot,
      [&](RowPointer, FullXid xid, std::string_view payload) { return visit(xid, payload); },
      [&](RowPointer row, FullXid xid) {
        if (xid < begun_before && !unended_.contains(xid)) next_kept_.push_back({row, xid});
      });
}

absl::Status QueueReader::DeleteConsumed(SnapshotData* snapshot) {
  return scanned_ ? pg::Outbox::DeleteSeen(snapshot) : pg::Outbox::Delete(snapshot, consumed_);
}

void QueueReader::AfterCommit(const SnapshotBounds& frontier, const std::set<RelationId>& behind,
                              const std::vector<pg::BusyLock>& busy) {
  FreeFinished();
  kept_ = std::move(next_kept_);
  slot_->kept.Store(kept_.size());
  if (scanned_ && overflow_finished_ == overflow_started_) slot_->clean.Store(overflow_started_);
  if (scanned_ && unslotted_finished_ == unslotted_started_) {
    slot_->clean_unslotted.Store(unslotted_started_);
  }
  StoreFrontier(frontier, behind, busy);
  slot_->served.Store(ticket_);
  ConditionVariableBroadcast(reinterpret_cast<ConditionVariable*>(slot_->progress));
}

// Step by step, between which writers get the lock. What they publish in between moves the tail.
void QueueReader::FreeFinished() {
  RecordRing ring(slot_->ring);
  RingPosition expected = walked_;
  bool is_all = true;
  bool may_gain = true;
  for (std::size_t done = 0; may_gain;) {
    const std::size_t step_end = std::min(finished_.size(), done + kFinishedPerStep);
    ExclusiveHolder holder(slot_->queue_lock);
    is_all = is_all && ring.tail() == expected;
    for (; done < step_end; ++done) ring.Finish(finished_[done]);
    ring.Reclaim();
    // A transaction that stays in progress must not keep the space behind it (ATTACKS B4), nor make
    // every batch walk over what is done there.
    if (done == finished_.size()) {
      may_gain = ring.tail() - ring.head() > ring.capacity() / 8 && ring.RotateHead();
    }
    expected = ring.tail();
  }
  settled_ = is_all ? std::optional(expected) : std::nullopt;
}

void QueueReader::StoreFrontier(const SnapshotBounds& frontier, const std::set<RelationId>& behind,
                                const std::vector<pg::BusyLock>& busy) {
  ExclusiveHolder holder(slot_->frontier_lock);
  slot_->frontier_xmin = frontier.xmin;
  slot_->frontier_xmax = frontier.xmax;
  slot_->frontier_count = static_cast<std::uint32_t>(frontier.in_progress.size());
  for (std::size_t i = 0; i < frontier.in_progress.size(); ++i) {
    slot_->frontier_in_progress[i] = frontier.in_progress[i];
  }
  int place = 0;
  for (const RelationId tview : behind) {
    if (place == pg::kBehindPlaces) break;
    slot_->behind[place++] = tview;
  }
  slot_->behind_count.Store(static_cast<std::int32_t>(behind.size()));
  slot_->busy_count = 0;
  for (const pg::BusyLock& lock : busy) {
    if (slot_->busy_count == pg::kBusyPlaces) break;
    slot_->busy[slot_->busy_count++] = lock;
  }
}

bool QueueReader::HasWork() const {
  if (slot_->requested.Load() > slot_->served.Load()) return true;
  if (slot_->overflow.started.Load() != slot_->clean.Load()) return true;
  if (pg::Slots()->unslotted.started.Load() != slot_->clean_unslotted.Load()) return true;
  ReadHolder holder(slot_->queue_lock);
  for (const pg::RefreshRequest& request : slot_->requests) {
    if (request.state == pg::RefreshRequest::kWaiting) return true;
  }
  return !RecordRing(slot_->ring).empty() || !kept_.empty();
}

std::optional<RingPosition> QueueReader::PreparedUpTo() const {
  const bool any_session = std::any_of(unended_.begin(), unended_.end(), pg::HasSession);
  return any_session ? std::nullopt : settled_;
}

}  // namespace tviews::worker
