// The applier's side of a change queue: which records belong to a batch.
//
// Layer:   core
// Sharing: reads and advances shared memory (queue_state.h)
// Errors:  passes on what BatchOutbox returns
//
// One batch, in this order:
//   BeforeSnapshot   reads the counters, then which transactions have begun (ATTACKS A4, A14)
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

#ifndef PG_TVIEWS_WORKER_CORE_QUEUE_READER_H_
#define PG_TVIEWS_WORKER_CORE_QUEUE_READER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/outbox_row.h"
#include "shared/queue_state.h"
#include "shared/record_ring.h"

namespace tviews::worker {

// The server under a batch's snapshot S.
class BatchOutbox {
 public:
  using Visit = absl::FunctionRef<absl::Status(FullXid, std::string_view)>;
  virtual ~BatchOutbox() = default;

  // What S sees of the transaction. `*forgotten` is set where it is so old that only its outbox row
  // tells (ATTACKS B5).
  virtual absl::StatusOr<Outcome> OutcomeOf(FullXid xid, bool* forgotten) = 0;
  // Calls `visit` with the payload of `row`, if it is there.
  virtual absl::Status Fetch(const OutboxRow& row, Visit visit) = 0;
  // Calls `visit` for every row that S sees, and `keep` for those in progress under S.
  virtual absl::Status Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)> keep) = 0;
  // Deletes those of the rows that are there; their order may change.
  virtual absl::Status Delete(std::vector<OutboxRow>* rows) = 0;
  virtual absl::Status DeleteSeen() = 0;
};

// The lock of a queue.
class QueueLock {
 public:
  virtual ~QueueLock() = default;
  virtual void Shared(absl::FunctionRef<void()> body) = 0;
  virtual void Exclusive(absl::FunctionRef<void()> body) = 0;
};

class QueueReader {
 public:
  // A lane's reader finds nothing in the queue: every batch scans.
  enum class Finds : std::uint8_t { kInQueue, kByScan };
  QueueReader(QueueState queue, QueueLock* lock, Finds finds = Finds::kInQueue)
      : queue_(queue), lock_(lock), only_scans_(finds == Finds::kByScan) {}

  // `next_xid` returns what no transaction that has begun is called yet. It is called once the
  // counters are read: whoever begins later publishes, or is counted, later.
  void BeforeSnapshot(absl::FunctionRef<FullXid()> next_xid);

  // Calls `visit(xid, payload)` for every record that S sees. A record whose payload is in the
  // outbox only, and whose row is no longer there, is not visited: a batch that has applied it
  // deleted the row (ATTACKS A15).
  absl::Status Collect(BatchOutbox* outbox, BatchOutbox::Visit visit);

  // Deletes the outbox rows of the records that Collect reported: after a scan, all that the
  // snapshot of `outbox` sees; otherwise those that the ring, or an earlier scan, has named.
  absl::Status DeleteConsumed(BatchOutbox* outbox);
  bool scanned() const { return scanned_; }

  // The end of the ring when the last batch walked it.
  RingPosition walked() const { return walked_; }

  // What must be known where a record counts: whether some were visited twice, and the rows of
  // those that were visited from the queue, of which a batch that has been committed may have
  // applied some (ATTACKS A15). REQUIRES: after Collect.
  bool has_repeated() const { return repeated_; }
  const std::vector<OutboxRow>& consumed() const { return consumed_; }

  // The batch is committed. `store_frontier` lets readers see its snapshot; after that, the tickets
  // are served.
  void AfterCommit(absl::FunctionRef<void()> store_frontier);

  // True if a batch should be tried without waiting: entries not looked at yet, an open ticket, or
  // reasons to scan.
  bool HasWork() const;

  // True while the last batch left transactions in progress: a prepared one can end without a
  // wake-up, so the applier polls. Those that aborted have emptied the ring.
  bool HasUnended() const {
    return (!unended_.empty() && !queue_.ring().empty()) || !kept_.empty();
  }

  // Where all that the last batch left in the queue belongs to prepared transactions: its end.
  // `has_session`: whether a session runs the transaction.
  std::optional<RingPosition> PreparedUpTo(absl::FunctionRef<bool(FullXid)> has_session) const;

 private:
  absl::Status CollectRing(BatchOutbox* outbox, BatchOutbox::Visit visit);
  absl::Status CollectKept(BatchOutbox* outbox, BatchOutbox::Visit visit);
  absl::Status CollectOutbox(BatchOutbox* outbox, BatchOutbox::Visit visit);
  void FreeFinished();

  QueueState queue_;
  QueueLock* lock_;
  bool only_scans_;

  // Counters as they were before S.
  std::uint64_t overflow_started_ = 0;
  std::uint64_t overflow_finished_ = 0;
  std::uint64_t unslotted_started_ = 0;
  std::uint64_t unslotted_finished_ = 0;
  std::uint64_t ticket_ = 0;
  FullXid begun_before_ =
      0;  // not S's xmax: a snapshot ends at the last transaction that has ended

  bool scanned_ = false;
  bool repeated_ = false;
  RingPosition walked_ = 0;  // tail of the last walk
  std::vector<RingPosition> finished_;
  std::set<FullXid> unended_;            // in progress under S, in the ring
  std::optional<RingPosition> settled_;  // tail after the last batch, if it walked all
  std::vector<OutboxRow> consumed_;      // of the ring, so bounded by it; none after a scan
  std::vector<OutboxRow> kept_;          // see (3)
  std::vector<OutboxRow> next_kept_;     // once this batch is committed
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_QUEUE_READER_H_
