// The records of a lane's batch: what the main lane has handed over, and what is in the outbox.
//
// Layer:   worker
// Sharing: tables; rows of pg_tview_lane_owed are deleted in the lane's batch
// Errors:  returns Status
//
// A lane has a snapshot S of its own. A transaction that S sees has its record in the outbox, as S
// sees that, or the main lane's batch that took it from there is visible in S too: then what
// concerns the lane is in pg_tview_lane_owed, which the same batch has written. So the two together
// are all of S, whatever the main lane does meanwhile, and nobody waits for anybody. What is still
// in the outbox is met once more when it is handed over: the frontier tells that, by the
// transaction here, by the batch's snapshot there, and to recompute a key twice does no harm.

#ifndef PG_TVIEWS_WORKER_BATCH_LANE_OUTBOX_H_
#define PG_TVIEWS_WORKER_BATCH_LANE_OUTBOX_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"
#include "worker/core/queue_reader.h"

struct SnapshotData;

namespace tviews::worker {

class LaneOutbox : public BatchOutbox {
 public:
  // `frontier` is the lane's, as `snapshot` sees it.
  LaneOutbox(SnapshotData* snapshot, std::string lane, SnapshotBounds frontier)
      : snapshot_(snapshot), lane_(std::move(lane)), frontier_(std::move(frontier)) {}

  // A lane's queue is empty.
  absl::StatusOr<Outcome> OutcomeOf(FullXid xid, bool* forgotten) override;
  absl::Status Fetch(const OutboxRow& row, Visit visit) override;
  absl::Status Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)> keep) override;
  // The rows of the outbox are the main lane's to delete.
  absl::Status Delete(std::vector<OutboxRow>* rows) override;
  // What was handed over, as far as the snapshot sees it.
  absl::Status DeleteSeen() override;

  // True if Scan has met anything that was handed over, whether or not that was news.
  bool has_owed() const { return has_owed_; }

 private:
  absl::Status ScanOwed(Visit visit);

  SnapshotData* snapshot_;
  std::string lane_;
  SnapshotBounds frontier_;
  bool has_owed_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_LANE_OUTBOX_H_
