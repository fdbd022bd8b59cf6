// How far the TVIEWs of a database are behind its source tables.
//
// Layer:   pg
// Sharing: reads a slot: its ring under queue_lock, its counters as atomics
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_PG_COMMON_LAG_H_
#define PG_TVIEWS_SHARED_PG_COMMON_LAG_H_

#include <cstdint>
#include <string>

#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"

namespace tviews::pg {

// Of committed transactions that no batch has applied. Those whose record is in the outbox only are
// counted, but not known further before the applier reads them.
struct Lag {
  FullXid oldest_xid = 0;   // 0: none known
  Timestamp oldest_at = 0;  // when it committed
  std::uint64_t records = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;
  std::uint64_t spilled = 0;  // records that are in the outbox only
};

// Nothing waits where `slot` is null. Of a lane: what is in the queue of its database, and not in
// the lane's frontier.
Lag MeasureLag(DatabaseSlot* slot);

// One sentence for people.
std::string DescribeLag(const Lag& lag);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_LAG_H_
