// One batch: the records visible in one snapshot S, applied in one transaction.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status; nothing is consumed then
//
// Counters are read, S is taken, records are collected and coalesced, the relations are locked and
// checked, every affected TVIEW is refreshed in dependency order, the outbox rows are deleted, S is
// stored as the frontier, the transaction commits, the queue advances.
//
// (1) Every TVIEW is written under S or not at all; what it owes then is kept (behind.h).
// (2) If the catalogs moved between S and the locks, the batch fails with 40001 (ATTACKS A1).
// (3) The graph is the one that S sees (batch_catalog.h).

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/types.h"
#include "worker/batch/batch_state.h"
#include "worker/batch/lane_handover.h"
#include "worker/batch/lane_outbox.h"
#include "worker/batch/server_queue.h"
#include "worker/core/coalescer.h"
#include "worker/core/ending.h"
#include "worker/core/queue_reader.h"
#include "worker/core/repetition.h"

struct SnapshotData;

namespace tviews::worker {

struct BatchEnd {
  Ending ending = Ending::kCommitted;
  absl::Status error;         // OK if the batch is committed
  bool leaves_aside = false;  // the next one is without the TVIEW that this one failed for
};

class BatchRunner {
 public:
  explicit BatchRunner(pg::DatabaseSlot* slot)
      : queue_lock_(slot),
        reader_(pg::QueueOf(slot), &queue_lock_,
                pg::IsOfLane(slot) ? QueueReader::Finds::kByScan : QueueReader::Finds::kInQueue),
        state_(slot) {}

  // Runs one batch, in `mode` unless the TVIEWs ask for kApart.
  BatchEnd Run(BatchMode mode);

  // True if another batch should follow without waiting.
  bool HasWork() const;
  // True while new work may come without a wake-up: from prepared transactions, or by time.
  bool MustPoll() const { return reader_.HasUnended() || state_.standings.AnyDormant(); }
  // See pg::ReleaseSlot.
  std::optional<RingPosition> PreparedUpTo() const { return reader_.PreparedUpTo(pg::HasSession); }
  // Milliseconds until a batch should look for keys to audit; -1: never.
  long AuditDueMs() const { return state_.audit.NextDueMs(); }
  // True if TVIEWs were left aside, or wait to be adopted.
  bool has_behind() const { return state_.standings.AnyBehind(); }
  // Milliseconds until a batch should try these; 0: every batch looks again, as sessions may wait
  // for them; -1: never.
  long BehindDueMs() const;
  // Milliseconds until now() becomes another for a TVIEW; -1: never.
  long ClockDueMs() const;
  // True while TVIEWs are to be filled; milliseconds until a batch should go on, -1: never.
  bool has_fills() const { return state_.fills.any(); }
  long FillDueMs() const { return state_.fills.DueMs(); }
  // True while work that is there waits for more (pg_tviews.lag_target), and how long it may.
  bool IsHeldBack();
  long HeldBackMs() const;
  // True if another lane could not be told of its news.
  bool has_untold_lanes() const { return handover_.has_untold(); }
  void TellLanes() { handover_.TellAgain(); }
  // After a batch that ended with kLockInTheWay: waits for the lock.
  absl::Status AwaitLock() { return state_.locks.AwaitContended(); }

 private:
  // Why there is something to do.
  struct Work {
    bool has_news = false;      // the frontier moves
    bool tries_behind = false;  // TVIEWs that are behind
    bool is_audit = false;      // an idle moment

    bool any() const { return has_news || tries_behind || is_audit; }
  };

  void Begin();
  absl::Status InTransaction(BatchMode mode, SnapshotBounds* bounds);
  absl::Status PausePoint(const char* of_main, const char* of_other) const;
  absl::StatusOr<BatchOutbox*> OutboxUnder(SnapshotData* snapshot);
  absl::StatusOr<Work> FindWork(const Coalescer& coalescer);
  absl::Status Consume(const Coalescer& coalescer, const SnapshotBounds& bounds);
  BatchEnd AfterCommit(const SnapshotBounds& frontier);
  BatchEnd AfterFailure(BatchMode mode, absl::Status error);
  Ending EndingOf(const absl::Status& status) const;
  bool Blame(Ending ending, const absl::Status& status);
  bool HasNews() const;
  void AccuseCulprit();
  void Report();
  void PublishFrontier(const SnapshotBounds& frontier);

  ServerQueueLock queue_lock_;
  QueueReader reader_;
  BatchState state_;
  LaneHandover handover_;
  // Of this batch: one of them, as the slot is the main lane's or another's.
  std::optional<ServerOutbox> server_outbox_;
  std::optional<LaneOutbox> lane_outbox_;
  Timestamp began_at_ = 0;
  Timestamp held_back_since_ = 0;  // 0: nothing is
  Timestamp last_took_ = 0;        // the last batch with news
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_H_
