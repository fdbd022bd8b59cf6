// A ring of framed change records over memory that it is given.
//
// Layer:   core
// Sharing: the memory may be shared; who may call what is written at each function
// Errors:  cannot fail; a full ring is an answer
//
// Writers append frames at the tail, one reader (the applier) finishes them in any order and frees
// them from the head. Positions are 64-bit counts of bytes since the ring was formatted: they never
// repeat, so a stale position is recognised (ATTACKS B4).
//
// (1) head <= every live frame < tail, tail - head <= capacity.
// (2) A frame between head and tail changes in its state only; its payload is stable until the
//     reader moves head past it. Hence the reader may read frames below a tail that it has fetched
//     under the lock, without the lock.
// (3) A frame is pending, then void (its transaction aborted) or done (taken); never back.
// (4) A frame never wraps around the end of the memory: a skip frame fills the rest.

#ifndef PG_TVIEWS_SHARED_RECORD_RING_H_
#define PG_TVIEWS_SHARED_RECORD_RING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "shared/types.h"

namespace tviews {

using RingPosition = std::uint64_t;

enum class FrameState : std::uint32_t { kPending, kVoid, kDone, kSkip };

// What a writer puts into a frame.
struct FrameContent {
  FullXid xid = 0;
  RowPointer outbox_row;
  Timestamp published_at = 0;
  std::int32_t pid = 0;
  std::uint32_t source_keys = 0;   // number of keys in the record, for monitoring
  std::uint32_t record_bytes = 0;  // of the record, also where it is only in the outbox
  // The record; empty when it is only in the outbox (too large for the ring).
  std::string_view payload;
};

struct Frame {
  RingPosition position = 0;
  FrameState state = FrameState::kPending;
  FrameContent content;
};

class RecordRing {
 public:
  // Bytes of memory for a ring with room for `capacity` bytes of frames (rounded down to 8; at
  // most 32 GB).
  static std::size_t MemorySize(std::size_t capacity);

  // Lays an empty ring over `memory` (8-aligned, MemorySize(capacity) bytes).
  static RecordRing Format(void* memory, std::size_t capacity);

  // A ring that was formatted before.
  explicit RecordRing(void* memory);

  // Bytes that a frame with `payload_size` bytes of payload takes.
  static std::size_t FrameSize(std::size_t payload_size);

  // Appends a frame; nullopt if there is no room. HOLDS: the exclusive lock.
  std::optional<RingPosition> Publish(const FrameContent& content);

  // Marks the frame of `xid` at `position` void; false if it is no longer there or no longer
  // pending. REQUIRES: Publish returned `position`. HOLDS: the exclusive lock.
  bool Void(RingPosition position, FullXid xid);

  // These may be called without the lock. What is found empty was so at some moment of the call.
  RingPosition head() const;
  RingPosition tail() const;
  std::size_t capacity() const;
  bool empty() const;

  // Calls `visit` for every frame in [head, end) except skip frames, oldest first, until it returns
  // false. REQUIRES: `end` is a tail fetched under the lock; called by the reader, or under the
  // lock.
  void ForEach(RingPosition end, absl::FunctionRef<bool(const Frame&)> visit) const;

  // One step of such a walk by others than the reader: calls `visit` for the frames from `position`
  // on, or from head where those before it are gone, and stops before `end` or behind the frame
  // with which it has gone `bytes` far. Returns where the next step begins: at `end` or beyond it
  // when there is none. REQUIRES: `position` is 0 or what an earlier step has returned; `end` <=
  // tail. HOLDS: the lock.
  RingPosition ForEachFrom(RingPosition position, RingPosition end, std::size_t bytes,
                           absl::FunctionRef<void(const Frame&)> visit) const;

  // Marks a pending frame done; any other stays what it is. By the reader only.
  // REQUIRES: `position` is a frame's. HOLDS: the exclusive lock.
  void Finish(RingPosition position);

  // Frees done, void and skip frames from the head on. A ring that becomes empty starts over at
  // the beginning of its memory, so that every frame up to capacity() fits into it. By the reader
  // only. HOLDS: the exclusive lock.
  void Reclaim();

  // Frees every frame. By the reader only. HOLDS: the exclusive lock.
  void Clear();

  // Frees space behind pending frames at the head: reclaims, then appends the pending frames at the
  // head again at the tail without their payload (their outbox rows are enough) up to the first
  // that had a payload or that has a finished frame behind it, and reclaims that. False if there is
  // no such frame: nothing can be gained. Repeated calls end. By the reader only.
  // HOLDS: the exclusive lock.
  bool RotateHead();

 private:
  struct Control;
  struct FrameHeader;
  FrameHeader* At(RingPosition position) const;
  Frame Read(RingPosition position) const;
  // Writes a frame whose room has been checked, after a skip frame where it would wrap.
  RingPosition Append(const FrameContent& content, std::size_t size);
  bool IsLive(RingPosition position) const;
  void RotateOne();

  Control* control_;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_RECORD_RING_H_
