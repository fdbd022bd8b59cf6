// Who takes part in a batch: what an applier keeps from one to the next, and what this one counts.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  cannot fail

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_STATE_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_STATE_H_

#include <string>

#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/tables/frontier.h"
#include "shared/types.h"
#include "worker/batch/audit.h"
#include "worker/batch/batch_catalog.h"
#include "worker/batch/batch_clock.h"
#include "worker/batch/batch_locks.h"
#include "worker/batch/behind.h"
#include "worker/batch/online_fills.h"
#include "worker/batch/refresh_log.h"
#include "worker/batch/refresh_requests.h"
#include "worker/core/standings.h"
#include "worker/refresh/group_states.h"
#include "worker/refresh/memory_limit.h"
#include "worker/refresh/refresh_executor.h"

namespace tviews::worker {

struct BatchState {
  explicit BatchState(pg::DatabaseSlot* database_slot)
      : slot(database_slot),
        lane(database_slot->lane),
        requests(database_slot),
        executor(&database_slot->activity.keys_done, &database_slot->activity.keys_total) {}

  pg::DatabaseSlot* slot;
  std::string lane;
  RefreshRequests requests;
  RefreshExecutor executor;
  BatchLocks locks;
  Standings standings;
  BehindTviews behind{lane, &standings};
  BatchCatalog catalog{lane, &standings, &behind, &executor};
  Audit audit;
  BatchClock clock{lane};
  OnlineFills fills;
  RefreshLog log;
  DataSize data_in_use;
  GroupStates groups{&data_in_use};

  // Of this batch.
  pg::BatchTotals totals;
  RelationId refreshing = 0;  // the TVIEW that is being refreshed
  Timestamp refreshing_since = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_STATE_H_
