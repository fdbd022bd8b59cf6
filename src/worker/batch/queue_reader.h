// The applier's side of a change queue: which records belong to a batch.
//
// Layer:   worker
// Sharing: reads and advances shared memory (database_slot.h)
// Errors:  returns Status
//
// One batch, in this order:
//   BeforeSnapshot   reads the counters (ATTACKS A4, A14)
//   S is taken
//   Collect          walks the queue, and scans the outbox where the counters say so
//   ... apply, delete the outbox rows, commit ...
//   AfterCommit      advances the queue, the counters, the frontier and the tickets
//
// (1) What Collect reports is every record visible in S, no more and no less.
// (2) Nothing is consumed before AfterCommit: a batch that fails is simply begun again.
// (3) A scan meets every row that is not deleted. Of those in progress under S, and without an
//     entry in the queue, it keeps the places; later batches ask for them as for the queue's
//     entries. So no prepared transaction, however old, makes a second scan necessary (ATTACKS A5,
//     B6).

#ifndef PG_TVIEWS_WORKER_BATCH_QUEUE_READER_H_
#define PG_TVIEWS_WORKER_BATCH_QUEUE_READER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/tables/outbox.h"
#include "shared/record_ring.h"

struct SnapshotData;

namespace tviews::worker {

class QueueReader {
 public:
  explicit QueueReader(pg::DatabaseSlot* slot) : slot_(slot) {}

  void BeforeSnapshot();

  // Calls `visit(xid, payload)` for every record that `snapshot` sees. A record whose payload is in
  // the outbox only, and whose row is no longer there, is not visited: a batch that has applied it
  // deleted the row (ATTACKS A15).
  absl::Status Collect(SnapshotData* snapshot,
                       absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit);

  // Deletes the outbox rows of the records that Collect reported: after a scan, all that `snapshot`
  // sees; otherwise those that the ring, or an earlier scan, has named.
  absl::Status DeleteConsumed(SnapshotData* snapshot);
  bool scanned() const { return scanned_; }

  // The batch is committed; `frontier` is its snapshot, at which all but `behind` stand.
  void AfterCommit(const SnapshotBounds& frontier, const std::set<RelationId>& behind,
                   const std::vector<pg::BusyLock>& busy);

  // True if a batch should be tried without waiting: entries not looked at yet, an open ticket or
  // request, or reasons to scan.
  bool HasWork() const;

  // True while the last batch left transactions in progress: a prepared one can end without a
  // wake-up, so the applier polls.
  bool HasUnended() const { return !unended_.empty() || !kept_.empty(); }

  // Where all that the last batch left in the queue belongs to prepared transactions: its end.
  std::optional<RingPosition> PreparedUpTo() const;

 private:
  bool NeedsScan() const;
  absl::Status CollectRing(SnapshotData* snapshot,
                           absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit);
  absl::Status CollectKept(SnapshotData* snapshot,
                           absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit);
  absl::Status CollectOutbox(SnapshotData* snapshot,
                             absl::FunctionRef<absl::Status(FullXid, std::string_view)> visit);
  void FreeFinished();
  void StoreFrontier(const SnapshotBounds& frontier, const std::set<RelationId>& behind,
                     const std::vector<pg::BusyLock>& busy);

  pg::DatabaseSlot* slot_;

  // Counters as they were before S.
  std::uint64_t overflow_started_ = 0;
  std::uint64_t overflow_finished_ = 0;
  std::uint64_t unslotted_started_ = 0;
  std::uint64_t unslotted_finished_ = 0;
  std::uint64_t ticket_ = 0;

  bool scanned_ = false;
  RingPosition walked_ = 0;  // tail of the last walk
  std::vector<RingPosition> finished_;
  std::set<FullXid> unended_;                    // in progress under S, in the ring
  std::optional<RingPosition> settled_;          // tail after the last batch, if it walked all
  std::vector<pg::Outbox::Consumed> consumed_;   // of the ring, so bounded by it; none after a scan
  std::vector<pg::Outbox::Consumed> kept_;       // see (3)
  std::vector<pg::Outbox::Consumed> next_kept_;  // once this batch is committed
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_QUEUE_READER_H_
