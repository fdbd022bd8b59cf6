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
// (3) The graph is the one that S sees: whoever changes metadata also notes a change of
//     pg_tview_meta in its change record.

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/change_record.h"
#include "shared/dependency_graph.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/tables/frontier.h"
#include "worker/batch/audit.h"
#include "worker/batch/batch_locks.h"
#include "worker/batch/behind.h"
#include "worker/batch/refresh_log.h"
#include "worker/batch/refresh_requests.h"
#include "worker/batch/server_queue.h"
#include "worker/batch/unadopted.h"
#include "worker/core/coalescer.h"
#include "worker/core/ending.h"
#include "worker/core/queue_reader.h"
#include "worker/core/standings.h"
#include "worker/refresh/refresh_executor.h"
#include "worker/refresh/tview_refresh.h"

struct SnapshotData;

namespace tviews::worker {

// True if the database has prepared transactions now. In a transaction of its own.
absl::StatusOr<bool> HasPreparedTransactions();

struct BatchEnd {
  Ending ending = Ending::kCommitted;
  absl::Status error;  // OK if the batch is committed
};

class BatchRunner {
 public:
  explicit BatchRunner(pg::DatabaseSlot* slot)
      : slot_(slot),
        queue_lock_(slot),
        reader_(pg::QueueOf(slot), &queue_lock_),
        requests_(slot),
        executor_(&slot->activity.keys_done, &slot->activity.keys_total) {}

  // Runs one batch. `careful`: the one before failed for reasons of its data.
  BatchEnd Run(bool careful);

  // True if another batch should follow without waiting.
  bool HasWork() const;
  // True while new work may come without a wake-up: from prepared transactions, or by time.
  bool MustPoll() const { return reader_.HasUnended() || standings_.AnyDormant(); }
  // See pg::ReleaseSlot.
  std::optional<RingPosition> PreparedUpTo() const { return reader_.PreparedUpTo(pg::HasSession); }
  // Milliseconds until a batch should look for keys to audit; -1: never.
  long AuditDueMs() const { return audit_.NextDueMs(); }
  // True if TVIEWs were left aside, or wait to be adopted.
  bool has_behind() const { return standings_.AnyBehind(); }
  // Milliseconds until a batch should try these; 0: every batch looks again, as sessions may wait
  // for them; -1: never.
  long BehindDueMs() const;
  // After a batch that ended with kLockInTheWay: waits for the lock.
  absl::Status AwaitLock() { return locks_.AwaitContended(); }

 private:
  Ending EndingOf(const absl::Status& status) const;
  void Blame(Ending ending, const absl::Status& status);
  void NoteDeafTview();
  absl::Status InTransaction(bool careful, SnapshotBounds* bounds);
  absl::Status LoadGraphIfStale();
  absl::Status ReloadGraph();
  absl::Status LoadUnadopted();
  void PublishFrontier(const SnapshotBounds& frontier);
  absl::StatusOr<Coalescer> CollectRecords(SnapshotData* snapshot);
  ChangeRecord EverythingChanged(const Origin& here) const;
  std::vector<bool> FindReachable(const Coalescer& coalescer) const;
  absl::Status CatalogsMoved();
  absl::Status CheckCatalogs();
  absl::Status RefreshAll(bool careful, std::vector<bool>* reachable, Coalescer* coalescer);
  absl::StatusOr<AffectedKeys> KeysFor(const TviewDefinition& tview, const Coalescer& coalescer,
                                       TviewRefresh* refresh);
  absl::Status RefreshWithin(const TviewDefinition& tview, bool careful, Coalescer* coalescer);
  absl::Status RefreshOne(const TviewDefinition& tview, bool careful, Coalescer* coalescer);
  absl::Status Consume(SnapshotData* snapshot, const SnapshotBounds& bounds);
  absl::Status ClearFills();
  ReaderColumns ReadersOf(RelationId tview) const;
  void Report(Timestamp begin);

  pg::DatabaseSlot* slot_;
  ServerQueueLock queue_lock_;
  QueueReader reader_;
  RefreshRequests requests_;
  RefreshExecutor executor_;
  BatchLocks locks_;
  Standings standings_;
  BehindTviews behind_{&standings_};
  UnadoptedTviews unadopted_;
  Audit audit_;
  RelationId stuck_ = 0;  // the TVIEW that is being refreshed
  Timestamp stuck_since_ = 0;
  std::uint64_t data_in_use_ = 0;  // bytes of this process
  Timestamp measured_at_ = 0;
  DependencyGraph graph_;
  std::uint64_t graph_generation_ = 0;   // of the catalog when the graph was loaded; 0: never
  std::uint64_t invalidations_ = 0;      // of watched relations, before S
  std::uint64_t any_invalidations_ = 0;  // of any relation, before S
  std::uint64_t generation_ = 0;         // before S
  std::uint64_t catalog_changes_ = 0;    // before S
  std::uint64_t planned_at_ = 0;         // invalidations when statements were last forgotten
  bool is_outdated_ = false;
  pg::BatchTotals totals_;
  RefreshLog log_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_H_
