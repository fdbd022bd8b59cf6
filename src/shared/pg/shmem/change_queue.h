// The change queue: the outbox's cache in shared memory, one per database.
//
// Layer:   pg
// Sharing: shared memory; each queue under its slot's queue_lock (table in database_slot.h)
// Errors:  cannot fail; no room is an answer (the record stays in the outbox only)
//
// When a writer publishes, and what is counted where there is no room, is in queue_state.h.
//
// A prepared transaction is one that takes long to end (A5, B6): it publishes at PRE_PREPARE, and
// its entry stays pending until it is seen to have committed or aborted. If it overflows, it counts
// as finished when it is prepared: a scan of the outbox keeps the places of rows whose transactions
// are in progress (queue_reader.h).

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_CHANGE_QUEUE_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_CHANGE_QUEUE_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "shared/record_ring.h"
#include "shared/types.h"

struct SnapshotData;

namespace tviews::pg {

// What a transaction published, remembered until it ends. Plain bytes.
struct PublishedRecord {
  enum class Place : std::uint8_t {
    kNowhere,   // nothing published
    kRing,      // an entry at `position`
    kOverflow,  // only in the outbox, counted
    kNoSlot,    // only in the outbox; every slot serves another database
  };
  Place place = Place::kNowhere;
  std::int32_t slot = -1;
  RingPosition position = 0;
  FullXid xid = 0;
};

// The writers' side. None of these can raise; all may be called in a critical phase of a commit.
namespace change_queue {

// PRE_COMMIT, PRE_PREPARE: publishes the record of the current transaction, or counts an overflow.
PublishedRecord Publish(DatabaseId database, const FrameContent& content) noexcept;

// COMMIT, PREPARE: wakes the applier, or the launcher where no applier lives. Clears `record`.
void AtCommit(PublishedRecord* record) noexcept;
// ABORT: voids the entry. Clears `record`.
void AtAbort(PublishedRecord* record) noexcept;

// COMMIT PREPARED and other news that no record brings: makes the applier look.
void WakeApplier(DatabaseId database) noexcept;

}  // namespace change_queue
}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_CHANGE_QUEUE_H_
