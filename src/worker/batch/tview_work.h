// A batch is at a TVIEW: what is shown of it, and who waits meanwhile.
//
// Layer:   worker
// Sharing: shared memory: the slot's activity, statistics, notes of sessions that wait
// Errors:  cannot fail
//
// At the end every reader that has waited meanwhile, and needs neither the TVIEW nor one that reads
// it, has been held up by it for that time. One that gave up before counts for itself
// (backend/reading/reader_wait.h).

#ifndef PG_TVIEWS_WORKER_BATCH_TVIEW_WORK_H_
#define PG_TVIEWS_WORKER_BATCH_TVIEW_WORK_H_

#include "shared/dependency_graph.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"

namespace tviews::worker {

class TviewWork {
 public:
  TviewWork(pg::DatabaseSlot* slot, const DependencyGraph& graph, RelationId tview,
            Timestamp begin) noexcept;
  TviewWork(const TviewWork&) = delete;
  TviewWork& operator=(const TviewWork&) = delete;
  ~TviewWork();

 private:
  void ShowReaders() const;
  void CountHeldUp(Timestamp end) const;

  pg::DatabaseSlot* slot_;
  const DependencyGraph& graph_;
  RelationId tview_;
  Timestamp begin_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_TVIEW_WORK_H_
