// The main lane hands over what concerns the others, in its batch's transaction.
//
// Layer:   worker
// Sharing: pg_tview_lane_owed; the slots of the lanes
// Errors:  returns Status
//
// The main applier is the only one that takes records out of the outbox. What concerns another lane
// it writes into pg_tview_lane_owed, one row per lane and batch, with the batch's snapshot; after
// the commit it tells the lane's applier (lane_outbox.h).

#ifndef PG_TVIEWS_WORKER_BATCH_LANE_HANDOVER_H_
#define PG_TVIEWS_WORKER_BATCH_LANE_HANDOVER_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "shared/types.h"
#include "worker/batch/batch_catalog.h"
#include "worker/core/coalescer.h"

namespace tviews::worker {

class LaneHandover {
 public:
  // When a batch with news begins: every lane has a slot, if there is room. Returns whether there
  // are other lanes.
  static bool Prepare(const BatchCatalog& catalog);

  // In the batch's transaction, before the frontier is stored.
  absl::Status Write(const BatchCatalog& catalog, const Coalescer& coalescer,
                     const SnapshotBounds& bounds);

  // The batch is committed: lanes with news are told, and every lane where the definitions were
  // read again, as there may be a new one, or an applier of this lane begins.
  void AfterCommit(const BatchCatalog& catalog);
  // The batch failed.
  void AfterFailure() { written_.clear(); }

  // True if a lane could not be told, for want of a slot: AfterCommit is to be called again.
  bool has_untold() const { return !untold_.empty(); }
  void TellAgain();

 private:
  absl::Status Owe(const std::string& lane, const Coalescer& coalescer, const DeltaSet& deltas,
                   const SnapshotBounds& bounds);

  std::set<std::string> written_;  // by this batch
  std::set<std::string> untold_;
  std::uint64_t told_of_ = 0;  // loads of the catalog
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_LANE_HANDOVER_H_
