// What is pending in a ring, read by somebody who is not the applier, in bounded steps.
//
// Layer:   pg
// Sharing: a slot's ring, under queue_lock for one step at a time; writers get it in between
// Errors:  cannot fail
//
// Between two steps frames are finished, freed, and moved to the tail (RecordRing::RotateHead). A
// walk meets every frame that is pending from its beginning to its end, and none twice; those that
// come or go meanwhile it may meet.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_PENDING_WALK_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_PENDING_WALK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/record_ring.h"

namespace tviews::pg {

class PendingWalk {
 public:
  enum class Payloads { kOmit, kCopy };

  PendingWalk(DatabaseSlot* slot, Payloads payloads);

  // Reads the frames of the next step; false when nothing is left. Ends early where the slot
  // becomes another database's.
  bool Next();

  // Those of the last step. Their payloads are copies that the next step replaces, or empty.
  const std::vector<Frame>& frames() const { return frames_; }

 private:
  void Copy(const Frame& frame);
  bool IsNew(const Frame& frame);

  DatabaseSlot* const slot_;
  const DatabaseId database_;
  const std::uint32_t generation_;
  RingPosition position_ = 0;
  RingPosition end_;
  std::vector<Frame> frames_;
  std::unique_ptr<char[]> payloads_;  // as large as the ring; null where they are omitted
  std::size_t used_ = 0;
  // Record by record: a frame that moves gets another position.
  absl::flat_hash_set<std::tuple<FullXid, std::uint32_t, std::uint16_t>> seen_;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_PENDING_WALK_H_
