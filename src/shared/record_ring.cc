#include "shared/record_ring.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <type_traits>

#include "shared/shared_field.h"

namespace tviews {

// Positions are read and written through Atomic().
struct RecordRing::Control {
  std::uint64_t capacity TVIEWS_SHARED(set_at_start);
  std::uint64_t head TVIEWS_SHARED(through_atomic);  // written by the reader, exclusive lock held
  std::uint64_t tail TVIEWS_SHARED(through_atomic);  // written with the exclusive lock held
};

// A frame is its header, then its payload, padded to kAlignment. A skip frame is a header of which
// only the first eight bytes are there, so that it fits into every rest of the memory.
struct RecordRing::FrameHeader {
  std::uint32_t words TVIEWS_SHARED(set_at_birth);    // size of the frame in units of kAlignment
  std::uint32_t state TVIEWS_SHARED(through_atomic);  // a FrameState
  std::uint64_t xid TVIEWS_SHARED(set_at_birth);
  std::int64_t published_at TVIEWS_SHARED(set_at_birth);
  std::int32_t pid TVIEWS_SHARED(set_at_birth);
  std::uint32_t source_keys TVIEWS_SHARED(set_at_birth);
  std::uint32_t outbox_block TVIEWS_SHARED(set_at_birth);
  std::uint32_t outbox_offset TVIEWS_SHARED(set_at_birth);
  std::uint32_t payload_size TVIEWS_SHARED(set_at_birth);
  std::uint32_t record_bytes TVIEWS_SHARED(set_at_birth);
};

namespace {

constexpr std::size_t kAlignment = 8;

// A field of the shared memory, to be accessed by several processes at once.
template <typename T>
std::atomic_ref<T> Atomic(T& field) {
  static_assert(std::atomic_ref<T>::is_always_lock_free);
  return std::atomic_ref<T>(field);
}

std::size_t RoundDown(std::size_t size) { return size - size % kAlignment; }
std::size_t RoundUp(std::size_t size) { return RoundDown(size + kAlignment - 1); }

}  // namespace

std::size_t RecordRing::MemorySize(std::size_t capacity) {
  static_assert(std::is_trivially_copyable_v<Control> && std::is_standard_layout_v<Control>);
  static_assert(sizeof(Control) % kAlignment == 0);
  return sizeof(Control) + RoundDown(capacity);
}

RecordRing RecordRing::Format(void* memory, std::size_t capacity) {
  new (memory) Control{.capacity = RoundDown(capacity), .head = 0, .tail = 0};
  return RecordRing(memory);
}

RecordRing::RecordRing(void* memory) : control_(static_cast<Control*>(memory)) {}

std::size_t RecordRing::FrameSize(std::size_t payload_size) {
  static_assert(std::is_trivially_copyable_v<FrameHeader>);
  static_assert(std::is_standard_layout_v<FrameHeader>);
  static_assert(sizeof(FrameHeader) % kAlignment == 0);
  static_assert(offsetof(FrameHeader, xid) == kAlignment);  // what a skip frame has
  return sizeof(FrameHeader) + RoundUp(payload_size);
}

RingPosition RecordRing::head() const {
  return Atomic(control_->head).load(std::memory_order_acquire);
}

RingPosition RecordRing::tail() const {
  return Atomic(control_->tail).load(std::memory_order_acquire);
}

bool RecordRing::empty() const {
  // The head first: neither goes back, so a tail that is then found there was there before. The
  // other way round, a frame could come and the one before it go in between.
  const RingPosition first = head();
  return first == tail();
}

std::size_t RecordRing::capacity() const { return control_->capacity; }

RecordRing::FrameHeader* RecordRing::At(RingPosition position) const {
  char* const frames = reinterpret_cast<char*>(control_) + sizeof(Control);
  return reinterpret_cast<FrameHeader*>(frames + position % control_->capacity);
}

bool RecordRing::IsLive(RingPosition position) const {
  return head() <= position && position < tail();
}

std::optional<RingPosition> RecordRing::Publish(const FrameContent& content) {
  const std::size_t capacity = control_->capacity;
  if (content.payload.size() > capacity) return std::nullopt;
  const std::size_t size = FrameSize(content.payload.size());
  if (size > capacity) return std::nullopt;
  const std::size_t rest = capacity - tail() % capacity;  // up to the end of the memory
  const std::size_t needed = size <= rest ? size : rest + size;
  if (needed > capacity - (tail() - head())) return std::nullopt;
  return Append(content, size);
}

RingPosition RecordRing::Append(const FrameContent& content, std::size_t size) {
  RingPosition position = tail();
  const std::size_t rest = control_->capacity - position % control_->capacity;
  if (size > rest) {
    FrameHeader* const skip = At(position);
    skip->words = static_cast<std::uint32_t>(rest / kAlignment);
    Atomic(skip->state).store(static_cast<std::uint32_t>(FrameState::kSkip));
    position += rest;
  }
  FrameHeader* const frame = At(position);
  frame->words = static_cast<std::uint32_t>(size / kAlignment);
  frame->xid = content.xid;
  frame->published_at = content.published_at;
  frame->pid = content.pid;
  frame->source_keys = content.source_keys;
  frame->outbox_block = content.outbox_row.block;
  frame->outbox_offset = content.outbox_row.offset;
  frame->payload_size = static_cast<std::uint32_t>(content.payload.size());
  frame->record_bytes = content.record_bytes;
  if (!content.payload.empty()) {
    std::memcpy(frame + 1, content.payload.data(), content.payload.size());
  }
  Atomic(frame->state).store(static_cast<std::uint32_t>(FrameState::kPending));
  Atomic(control_->tail).store(position + size, std::memory_order_release);
  return position;
}

bool RecordRing::Void(RingPosition position, FullXid xid) {
  if (!IsLive(position)) return false;
  FrameHeader* const frame = At(position);
  if (frame->xid != xid) return false;
  auto expected = static_cast<std::uint32_t>(FrameState::kPending);
  return Atomic(frame->state)
      .compare_exchange_strong(expected, static_cast<std::uint32_t>(FrameState::kVoid));
}

void RecordRing::Finish(RingPosition position) {
  if (!IsLive(position)) return;
  auto expected = static_cast<std::uint32_t>(FrameState::kPending);
  Atomic(At(position)->state)
      .compare_exchange_strong(expected, static_cast<std::uint32_t>(FrameState::kDone));
}

Frame RecordRing::Read(RingPosition position) const {
  FrameHeader* const header = At(position);
  Frame frame;
  frame.position = position;
  frame.state = static_cast<FrameState>(Atomic(header->state).load());
  if (frame.state == FrameState::kSkip) return frame;
  frame.content.xid = header->xid;
  frame.content.outbox_row = {header->outbox_block,
                              static_cast<std::uint16_t>(header->outbox_offset)};
  frame.content.published_at = header->published_at;
  frame.content.pid = header->pid;
  frame.content.source_keys = header->source_keys;
  frame.content.record_bytes = header->record_bytes;
  frame.content.payload =
      std::string_view(reinterpret_cast<const char*>(header + 1), header->payload_size);
  return frame;
}

void RecordRing::ForEach(RingPosition end, absl::FunctionRef<bool(const Frame&)> visit) const {
  RingPosition position = head();
  while (position < end) {
    const Frame frame = Read(position);
    position += std::uint64_t{At(position)->words} * kAlignment;
    if (frame.state != FrameState::kSkip && !visit(frame)) return;
  }
}

RingPosition RecordRing::ForEachFrom(RingPosition position, RingPosition end, std::size_t bytes,
                                     absl::FunctionRef<void(const Frame&)> visit) const {
  position = std::max(position, head());
  const RingPosition enough = position + bytes;
  while (position < end && position < enough) {
    const Frame frame = Read(position);
    position += std::uint64_t{At(position)->words} * kAlignment;
    if (frame.state != FrameState::kSkip) visit(frame);
  }
  return position;
}

void RecordRing::Reclaim() {
  RingPosition position = head();
  const RingPosition end = tail();
  while (position < end) {
    FrameHeader* const frame = At(position);
    if (Atomic(frame->state).load() == static_cast<std::uint32_t>(FrameState::kPending)) break;
    position += std::uint64_t{frame->words} * kAlignment;
  }
  if (position == end && control_->capacity != 0 && end % control_->capacity != 0) {
    position += control_->capacity - end % control_->capacity;
    Atomic(control_->tail).store(position, std::memory_order_release);
  }
  Atomic(control_->head).store(position, std::memory_order_release);
}

void RecordRing::Clear() {
  Atomic(control_->head).store(tail(), std::memory_order_release);
  Reclaim();
}

void RecordRing::RotateOne() {
  const Frame frame = Read(head());
  Finish(frame.position);
  Reclaim();
  // There is room: the frame that was freed is at least as large, and stands where the free space
  // ends.
  FrameContent content = frame.content;
  content.payload = {};
  Append(content, FrameSize(0));
}

bool RecordRing::RotateHead() {
  Reclaim();
  std::optional<RingPosition> gain;
  ForEach(tail(), [&](const Frame& frame) {
    if (frame.state == FrameState::kPending && frame.content.payload.empty()) return true;
    gain = frame.position;
    return false;
  });
  if (!gain.has_value()) return false;
  while (head() <= *gain) RotateOne();
  return true;
}

}  // namespace tviews
