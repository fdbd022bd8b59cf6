// Requests of sessions to compare a TVIEW with its query now (pg_tviews_refresh, pg_tviews_retry).
//
// Layer:   worker
// Sharing: shared memory, the slot's queue_lock
// Errors:  cannot fail

#ifndef PG_TVIEWS_WORKER_BATCH_REFRESH_REQUESTS_H_
#define PG_TVIEWS_WORKER_BATCH_REFRESH_REQUESTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"
#include "worker/write/tview_writer.h"

namespace tviews::worker {

class RefreshRequests {
 public:
  explicit RefreshRequests(pg::DatabaseSlot* slot) : slot_(slot) {}

  bool AnyWaiting() const;
  // The batch takes what waits, besides what was postponed.
  void Take();
  // True if the batch has more than what earlier ones postponed.
  bool has_new() const { return has_new_; }
  bool IsRequested(RelationId tview) const;

  // The batch comes to the TVIEW: its sessions wait until that has ended.
  void Begin(RelationId tview);
  // What became of a requested TVIEW in this batch.
  void Note(RelationId tview, const WriteCounts& counts, const absl::Status& failure);

  // The batch leaves the TVIEW aside: its requests stay taken for the next one.
  void Postpone(RelationId tview);

  // The batch is committed: answers go out. Requests for TVIEWs that it did not know fail.
  void AfterCommit();
  // The batch failed because of this TVIEW alone: its requests are answered with that.
  void Fail(RelationId tview, const absl::Status& failure);
  // The batch failed: the requests wait again.
  void AfterFailure();

 private:
  struct Taken {
    int index;
    RelationId tview;
    WriteCounts counts{};
    std::string sqlstate = "42704";  // until the batch has met the TVIEW
    std::string error = "the TVIEW no longer exists";
    bool is_postponed = false;
  };
  pg::DatabaseSlot* slot_;
  std::vector<Taken> taken_;
  bool has_new_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_REFRESH_REQUESTS_H_
