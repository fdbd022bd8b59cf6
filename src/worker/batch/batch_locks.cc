#include "worker/batch/batch_locks.h"

#include <utility>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/tables/relation_watch.h"
#include "shared/status_macros.h"
#include "worker/batch/inheritance_check.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/lmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

absl::StatusOr<std::vector<BatchLocks::Lock>> BatchLocks::LocksOf(const TviewDefinition& tview) {
  std::vector<Lock> locks = {{tview.relation, RowExclusiveLock},
                             {tview.backing_view, AccessShareLock}};
  for (const RelationId view : tview.nested_views) locks.push_back({view, AccessShareLock});
  for (const SourceLineage& source : tview.sources) {
    std::vector<RelationId> read = {source.source};
    TVIEWS_RETURN_IF_ERROR(AppendDescendants(source.source, &read));
    for (const RelationId relation : read) locks.push_back({relation, AccessShareLock});
  }
  return locks;
}

absl::Status BatchLocks::Acquire(const DependencyGraph& graph, const std::vector<bool>& wanted) {
  contended_ = Lock{};
  missing_.clear();
  taken_.clear();
  std::set<Lock> locks;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<Lock> own, LocksOf(graph.order()[i]));
    locks.insert(own.begin(), own.end());
  }
  for (const Lock& lock : locks) {
    if (!pg::IsWatched(lock.relation)) {
      return pg::MakeError(
          absl::StatusCode::kAborted,
          {.message = "a partition arrived while a batch began", .sqlstate = "40001"});
    }
    TVIEWS_ASSIGN_OR_RETURN(const bool is_mine, pg::CallFor([&] {
                              return ConditionalLockRelationOid(lock.relation, lock.mode);
                            }));
    if (is_mine) {
      busy_.erase(lock);
      taken_.push_back({lock.relation, lock.mode});
    } else if (busy_.contains(lock)) {
      missing_.insert(lock);
    } else {
      contended_ = lock;
      return pg::MakeError(
          absl::StatusCode::kAborted,
          {.message = "a relation is locked by another session", .sqlstate = "55P03"});
    }
  }
  return absl::OkStatus();
}

std::vector<pg::BusyLock> BatchLocks::missing() const {
  std::vector<pg::BusyLock> locks;
  for (const Lock& lock : missing_) locks.push_back({lock.relation, lock.mode});
  return locks;
}

absl::StatusOr<RelationId> BatchLocks::MissingFor(const TviewDefinition& tview) const {
  if (missing_.empty()) return RelationId{0};
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Lock> locks, LocksOf(tview));
  for (const Lock& lock : locks) {
    if (missing_.contains(lock)) return lock.relation;
  }
  return RelationId{0};
}

absl::Status BatchLocks::AwaitContended() {
  const Lock lock = std::exchange(contended_, Lock{});
  const absl::Status status = pg::RunTransaction(
      [&] { return pg::Call([&] { LockRelationOid(lock.relation, lock.mode); }); });
  if (status.ok()) return absl::OkStatus();
  busy_.insert(lock);
  return pg::IsTransient(status) ? absl::OkStatus() : status;
}

}  // namespace tviews::worker
