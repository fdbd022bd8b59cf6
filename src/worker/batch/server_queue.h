// What the core's reader of the queue needs of the server, and how the frontier reaches readers.
//
// Layer:   worker
// Sharing: shared memory (database_slot.h), the outbox
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_BATCH_SERVER_QUEUE_H_
#define PG_TVIEWS_WORKER_BATCH_SERVER_QUEUE_H_

#include <set>
#include <vector>

#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"
#include "worker/core/queue_reader.h"

struct SnapshotData;

namespace tviews::worker {

class ServerOutbox : public BatchOutbox {
 public:
  explicit ServerOutbox(SnapshotData* snapshot) : snapshot_(snapshot) {}

  absl::StatusOr<Outcome> OutcomeOf(FullXid xid, bool* forgotten) override;
  absl::Status Fetch(const OutboxRow& row, Visit visit) override;
  absl::Status Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)> keep) override;
  // A row whose xmin is not the entry's xid, or that is gone, is left alone (ATTACKS A15).
  absl::Status Delete(std::vector<OutboxRow>* rows) override;
  absl::Status DeleteSeen() override;

 private:
  SnapshotData* snapshot_;
};

class ServerQueueLock : public QueueLock {
 public:
  explicit ServerQueueLock(pg::DatabaseSlot* slot) : slot_(slot) {}
  void Shared(absl::FunctionRef<void()> body) override;
  void Exclusive(absl::FunctionRef<void()> body) override;

 private:
  pg::DatabaseSlot* slot_;
};

// Lets sessions see the frontier of a committed batch, at which all TVIEWs but `behind` stand.
void ShowFrontier(pg::DatabaseSlot* slot, const SnapshotBounds& frontier,
                  const std::set<RelationId>& behind, const std::vector<pg::BusyLock>& busy);
void WakeReaders(pg::DatabaseSlot* slot);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_SERVER_QUEUE_H_
