// TVIEWs that the frontier does not hold for because they wait to be adopted, as a batch sees them.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// Sessions wait for them as for those that the batch has left aside (behind.h). Adoption takes
// locks without waiting: so the sessions also have to know for which locks, to find out that it is
// they who are in its way.

#ifndef PG_TVIEWS_WORKER_BATCH_UNADOPTED_H_
#define PG_TVIEWS_WORKER_BATCH_UNADOPTED_H_

#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"

namespace tviews::worker {

struct UnadoptedTviews {
  std::set<RelationId> tviews;
  std::vector<pg::BusyLock> locks;  // what their adoption locks
};

// As the active snapshot sees them.
absl::StatusOr<UnadoptedTviews> ReadUnadopted();

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_UNADOPTED_H_
