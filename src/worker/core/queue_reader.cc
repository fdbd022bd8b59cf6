#include "worker/core/queue_reader.h"

#include <algorithm>
#include <utility>

#include "shared/status_macros.h"

namespace tviews::worker {

// Frames that are marked while writers wait.
constexpr std::size_t kFinishedPerStep = 1024;

void QueueReader::BeforeSnapshot(absl::FunctionRef<FullXid()> next_xid) {
  const QueueCounters& counters = queue_.counters();
  // `finished` before `started`: a transaction that begins to overflow in between makes them
  // differ, never agree.
  overflow_finished_ = counters.overflow.finished.Load();
  overflow_started_ = counters.overflow.started.Load();
  unslotted_finished_ = queue_.unslotted().finished.Load();
  unslotted_started_ = queue_.unslotted().started.Load();
  ticket_ = counters.requested.Load();
  begun_before_ = next_xid();
}

absl::Status QueueReader::Collect(BatchOutbox* outbox, BatchOutbox::Visit visit) {
  finished_.clear();
  consumed_.clear();
  next_kept_.clear();
  repeated_ = false;
  scanned_ = only_scans_ || queue_.NeedsScan();
  if (!scanned_) {
    TVIEWS_RETURN_IF_ERROR(CollectRing(outbox, visit));
    TVIEWS_RETURN_IF_ERROR(CollectKept(outbox, visit));
    if (!scanned_) return absl::OkStatus();
    // Records were met whose outcome only the outbox tells: visiting the others twice is harmless
    // to keys.
    repeated_ = true;
    consumed_.clear();
    next_kept_.clear();
    return CollectOutbox(outbox, visit);
  }
  // All visible rows are the batch; the queue's entries for them are only dropped.
  TVIEWS_RETURN_IF_ERROR(
      CollectRing(outbox, [](FullXid, std::string_view) { return absl::OkStatus(); }));
  consumed_.clear();
  return CollectOutbox(outbox, visit);
}

absl::Status QueueReader::CollectRing(BatchOutbox* outbox, BatchOutbox::Visit visit) {
  const RecordRing ring = queue_.ring();
  lock_->Shared([&] { walked_ = ring.tail(); });
  unended_.clear();
  absl::Status status;
  bool forgotten = false;
  ring.ForEach(walked_, [&](const Frame& frame) {
    if (frame.state == FrameState::kVoid || frame.state == FrameState::kDone) return true;
    const absl::StatusOr<Outcome> outcome = outbox->OutcomeOf(frame.content.xid, &forgotten);
    if (!outcome.ok()) {
      status = outcome.status();
      return false;
    }
    if (*outcome == Outcome::kInProgress) {
      unended_.insert(frame.content.xid);
      return true;
    }
    finished_.push_back(frame.position);
    if (*outcome == Outcome::kAborted) return true;
    if (scanned_) return true;
    const OutboxRow row{frame.content.outbox_row, frame.content.xid};
    consumed_.push_back(row);
    if (!frame.content.payload.empty()) {
      status = visit(frame.content.xid, frame.content.payload);
    } else {
      status = outbox->Fetch(row, visit);
    }
    return status.ok();
  });
  // An entry older than the commit log may have committed: the outbox tells.
  if (forgotten) scanned_ = true;
  return status;
}

absl::Status QueueReader::CollectKept(BatchOutbox* outbox, BatchOutbox::Visit visit) {
  bool forgotten = false;
  for (const OutboxRow& kept : kept_) {
    TVIEWS_ASSIGN_OR_RETURN(const Outcome outcome, outbox->OutcomeOf(kept.xid, &forgotten));
    if (outcome == Outcome::kInProgress) next_kept_.push_back(kept);
    if (outcome != Outcome::kCommitted) continue;
    consumed_.push_back(kept);
    TVIEWS_RETURN_IF_ERROR(outbox->Fetch(kept, visit));
  }
  if (forgotten) scanned_ = true;
  return absl::OkStatus();
}

// Of rows in progress only those are kept whose transactions had begun when the counters were read:
// later ones have published, or been counted, since. So there are no more than the server runs
// transactions, each with a limited number of records, however long the scan takes.
absl::Status QueueReader::CollectOutbox(BatchOutbox* outbox, BatchOutbox::Visit visit) {
  return outbox->Scan(visit, [&](const OutboxRow& row) {
    if (row.xid < begun_before_ && !unended_.contains(row.xid)) next_kept_.push_back(row);
  });
}

absl::Status QueueReader::DeleteConsumed(BatchOutbox* outbox) {
  return scanned_ ? outbox->DeleteSeen() : outbox->Delete(&consumed_);
}

void QueueReader::AfterCommit(absl::FunctionRef<void()> store_frontier) {
  QueueCounters& counters = queue_.counters();
  FreeFinished();
  kept_ = std::move(next_kept_);
  counters.kept.Store(kept_.size());
  if (scanned_ && overflow_finished_ == overflow_started_) counters.clean.Store(overflow_started_);
  if (scanned_ && unslotted_finished_ == unslotted_started_) {
    counters.clean_unslotted.Store(unslotted_started_);
  }
  store_frontier();
  counters.served.Store(ticket_);
}

// Step by step, between which writers get the lock. What they publish in between moves the tail.
void QueueReader::FreeFinished() {
  RecordRing ring = queue_.ring();
  RingPosition expected = walked_;
  bool is_all = true;
  bool may_gain = true;
  for (std::size_t done = 0; may_gain;) {
    const std::size_t step_end = std::min(finished_.size(), done + kFinishedPerStep);
    lock_->Exclusive([&] {
      is_all = is_all && ring.tail() == expected;
      for (; done < step_end; ++done) ring.Finish(finished_[done]);
      ring.Reclaim();
      // A transaction that stays in progress must not keep the space behind it (ATTACKS B4), nor
      // make every batch walk over what is done there.
      if (done == finished_.size()) {
        may_gain = ring.tail() - ring.head() > ring.capacity() / 8 && ring.RotateHead();
      }
      expected = ring.tail();
    });
  }
  settled_ = is_all ? std::optional(expected) : std::nullopt;
}

bool QueueReader::HasWork() const {
  const QueueCounters& counters = queue_.counters();
  if (counters.requested.Load() > counters.served.Load() || queue_.NeedsScan()) return true;
  bool is_empty = false;
  lock_->Shared([&] { is_empty = queue_.ring().empty(); });
  return !is_empty || !kept_.empty();
}

std::optional<RingPosition> QueueReader::PreparedUpTo(
    absl::FunctionRef<bool(FullXid)> has_session) const {
  const bool any_session =
      std::any_of(unended_.begin(), unended_.end(), [&](FullXid xid) { return has_session(xid); });
  return any_session ? std::nullopt : settled_;
}

}  // namespace tviews::worker
