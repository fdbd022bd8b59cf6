#include "shared/queue_state.h"

namespace tviews {

// `started` differs from `clean`, and the unslotted counters are taken as never covered.
void QueueState::Begin() {
  counters_->overflow.started.Store(1);
  counters_->overflow.finished.Store(1);
  counters_->clean.Store(0);
  counters_->clean_unslotted.Store(~std::uint64_t{0});
  counters_->kept.Store(0);
  counters_->requested.Store(0);
  counters_->served.Store(0);
}

void QueueState::BeginApplier() { counters_->clean.Store(counters_->overflow.started.Load() - 1); }

std::optional<RingPosition> QueueState::Publish(const FrameContent& content) {
  RecordRing queue = ring();
  FrameContent entry = content;
  if (RecordRing::FrameSize(content.payload.size()) > queue.capacity() / 4) entry.payload = {};
  const std::optional<RingPosition> position = queue.Publish(entry);
  if (!position.has_value()) counters_->overflow.started.Add(1);
  return position;
}

bool QueueState::NeedsScan() const {
  return counters_->overflow.started.Load() != counters_->clean.Load() ||
         unslotted_->started.Load() != counters_->clean_unslotted.Load();
}

bool QueueState::IsIdle() const {
  return ring().empty() && counters_->kept.Load() == 0 && !NeedsScan();
}

bool QueueState::IsInFlight() const {
  return !IsIdle() || counters_->overflow.started.Load() != counters_->overflow.finished.Load() ||
         counters_->requested.Load() > counters_->served.Load();
}

}  // namespace tviews
