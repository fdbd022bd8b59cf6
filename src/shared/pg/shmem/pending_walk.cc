#include "shared/pg/shmem/pending_walk.h"

#include <algorithm>
#include <cstring>

#include "shared/pg/shmem/shmem.h"

namespace tviews::pg {
namespace {

// Bytes of frames that are read while writers wait, and one frame more.
constexpr std::size_t kStepBytes = 64 * 1024;

}  // namespace

// Beyond a whole ring after its beginning, a walk would only chase what comes in.
PendingWalk::PendingWalk(DatabaseSlot* slot, Payloads payloads)
    : slot_(slot),
      database_(slot->database.Load()),
      generation_(slot->generation.Load()),
      end_(RecordRing(slot->ring).tail() + Slots()->ring_capacity) {
  // All memory is taken before the lock.
  frames_.reserve(kStepBytes / RecordRing::FrameSize(0) + 1);
  if (payloads == Payloads::kCopy) {
    payloads_ = std::make_unique_for_overwrite<char[]>(Slots()->ring_capacity);
  }
}

bool PendingWalk::Next() {
  frames_.clear();
  used_ = 0;
  bool is_over = false;
  {
    ReadHolder holder(slot_->queue_lock);
    if (slot_->database.Load() != database_ || slot_->generation.Load() != generation_) {
      return false;
    }
    const RecordRing ring(slot_->ring);
    const RingPosition end = std::min(end_, ring.tail());
    position_ = ring.ForEachFrom(position_, end, kStepBytes, [this](const Frame& frame) {
      if (frame.state == FrameState::kPending) Copy(frame);
    });
    is_over = position_ >= end;
  }
  if (is_over) end_ = 0;
  std::erase_if(frames_, [this](const Frame& frame) { return !IsNew(frame); });
  return !is_over || !frames_.empty();
}

void PendingWalk::Copy(const Frame& frame) {
  const std::string_view payload = frame.content.payload;
  frames_.push_back(frame);
  frames_.back().content.payload = {};
  if (payloads_ == nullptr || payload.empty()) return;
  char* const copy = payloads_.get() + used_;
  std::memcpy(copy, payload.data(), payload.size());
  frames_.back().content.payload = {copy, payload.size()};
  used_ += payload.size();
}

bool PendingWalk::IsNew(const Frame& frame) {
  const RowPointer row = frame.content.outbox_row;
  return seen_.emplace(frame.content.xid, row.block, row.offset).second;
}

}  // namespace tviews::pg
