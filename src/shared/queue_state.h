// The change queue of one database: the ring of its records, and the counters of those that are in
// the outbox only.
//
// Layer:   core
// Sharing: shared memory; the ring as record_ring.h says, the counters are atomic
// Errors:  cannot fail; no room is an answer
//
// A writer publishes before its commit; the applier reads the counters, takes its snapshot S, and
// walks the queue afterwards. So every transaction that S sees has its entry in the ring, or is
// counted as an overflow, when the applier looks: a record may be seen early, never late. That is
// what makes a batch exact.
//
// Overflow (ATTACKS A4): `started` is raised before the commit, `finished` after the end of the
// transaction, `clean` is the value of `started` up to which scans of the outbox have covered
// everything. Nothing is ever cleared. The same counters exist once for the transactions that found
// no slot (`unslotted`), whatever their database; each database has its own `clean_unslotted`.

#ifndef PG_TVIEWS_SHARED_QUEUE_STATE_H_
#define PG_TVIEWS_SHARED_QUEUE_STATE_H_

#include <optional>

#include "shared/record_ring.h"
#include "shared/shared_counter.h"
#include "shared/shared_field.h"

namespace tviews {

// Records that are in the outbox only: how many transactions began, and ended, in that way.
struct OverflowCounters {
  SharedCounter started;
  SharedCounter finished;
};

struct QueueCounters {
  OverflowCounters overflow;
  SharedCounter clean;
  SharedCounter clean_unslotted;
  SharedCounter kept;       // rows of the outbox whose transactions the applier waits for
  SharedCounter requested;  // the last ticket that was taken (backend/reading/waiting.h)
  SharedCounter served;     // up to which tickets are served
};

// A view of it, wherever the memory is. "The lock" is the queue's.
class QueueState {
 public:
  QueueState(void* ring, QueueCounters* counters, OverflowCounters* unslotted)
      : ring_(ring), counters_(counters), unslotted_(unslotted) {}

  RecordRing ring() const { return RecordRing(ring_); }
  QueueCounters& counters() const { return *counters_; }
  OverflowCounters& unslotted() const { return *unslotted_; }

  // Nothing is known of the outbox: it is to be scanned. HOLDS: the exclusive lock.
  void Begin();
  // A new applier: what the previous one has left is unknown.
  void BeginApplier();

  // Before the commit: the place of the transaction's entry, without its payload where that takes
  // more than a quarter of the ring. nullopt: there is no room, and the record counts as an
  // overflow until FinishOverflow. HOLDS: the exclusive lock.
  std::optional<RingPosition> Publish(const FrameContent& content);
  void FinishOverflow() { counters_->overflow.finished.Add(1); }

  // True if only a scan of the outbox finds all records.
  bool NeedsScan() const;
  // True if there is nothing that a batch could take: what had committed before is applied, and
  // its batch has committed. HOLDS: the lock.
  bool IsIdle() const;
  // True while somebody counts on this queue: an entry, an overflow that has not ended, a ticket.
  // HOLDS: the lock.
  bool IsInFlight() const;

 private:
  void* ring_;
  QueueCounters* counters_;
  OverflowCounters* unslotted_;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_QUEUE_STATE_H_
