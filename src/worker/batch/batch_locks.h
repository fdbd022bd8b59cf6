// The locks of a batch: ACCESS SHARE on what it reads, ROW EXCLUSIVE on what it writes.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// A batch never waits for a lock while it holds others, so it is in nobody's deadlock. Where a lock
// is not to be had at once, the batch is given up, the applier waits for that lock alone, and
// begins again. If the wait has timed out, the relation is busy: further batches ask for it without
// waiting, and do without it (see behind.h) until it is free again.

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_LOCKS_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_LOCKS_H_

#include <compare>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/tview_definition.h"
#include "shared/types.h"

namespace tviews::worker {

class BatchLocks {
 public:
  // Locks what the TVIEWs of graph.order() that `wanted` marks need, in OID order. 55P03 if the
  // batch must be begun again after AwaitContended; 40001 if the catalogs moved.
  absl::Status Acquire(const DependencyGraph& graph, const std::vector<bool>& wanted);

  // After Acquire: a relation that the refresh of `tview` needs and that is busy, or 0.
  absl::StatusOr<RelationId> MissingFor(const TviewDefinition& tview) const;

  // The locks that the last Acquire took, by relation.
  const std::vector<pg::BusyLock>& taken() const { return taken_; }
  // The locks that the last Acquire did without.
  std::vector<pg::BusyLock> missing() const;

  // True if the last Acquire failed for a lock that has not been waited for.
  bool is_contended() const { return contended_.relation != 0; }
  // Waits for it, at most pg_tviews.lock_timeout, holding nothing.
  absl::Status AwaitContended();

 private:
  struct Lock {
    RelationId relation = 0;
    int mode = 0;
    friend auto operator<=>(const Lock&, const Lock&) = default;
  };
  static absl::StatusOr<std::vector<Lock>> LocksOf(const TviewDefinition& tview);

  Lock contended_;
  std::set<Lock> busy_;     // waited for in vain
  std::set<Lock> missing_;  // by the last Acquire
  std::vector<pg::BusyLock> taken_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_LOCKS_H_
