// The definitions that a batch works by: those that its snapshot S sees, kept from batch to batch.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status; 40001 if the catalogs moved between S and the batch's locks
//
// The catalogs are not read under S (ATTACKS A1): where they have moved, the batch is given up and
// begun again with a newer snapshot. Metadata is read under S, and whoever changes it notes a
// change of pg_tview_meta in its change record: so a batch that sees the change reads it again.

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_CATALOG_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_CATALOG_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "shared/dependency_graph.h"
#include "shared/lane.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/tables/catalog.h"
#include "worker/batch/behind.h"
#include "worker/batch/unadopted.h"
#include "worker/core/standings.h"
#include "worker/refresh/refresh_executor.h"

namespace tviews::worker {

using Lanes = std::map<std::string, std::vector<TviewDefinition>>;

class BatchCatalog {
 public:
  // These are told of what is read again.
  BatchCatalog(std::string lane, Standings* standings, BehindTviews* behind,
               RefreshExecutor* executor)
      : lane_(std::move(lane)), standings_(standings), behind_(behind), executor_(executor) {}

  void BeginBatch() { has_moved_ = false; }
  void BeforeSnapshot();
  // Under S, what an earlier batch has not read, or what has changed since.
  absl::Status LoadIfStale();
  // Everything: a record of this batch says that metadata changed.
  absl::Status Load();
  // Once the batch holds its locks.
  absl::Status CheckUnmoved();
  // True if the catalogs have moved since S.
  bool has_moved() const { return has_moved_; }

  const std::string& lane() const { return lane_; }
  bool is_main() const { return lane_ == kMainLane; }
  // The TVIEWs of the lane.
  const DependencyGraph& graph() const { return graph_; }
  // The TVIEWs of the others; for the main lane only.
  // True where definitions or options have changed since the last batch read them.
  bool is_stale() const { return loaded_at_ != 0 && loaded_at_ != pg::CatalogGeneration(); }
  const Lanes& other_lanes() const { return other_lanes_; }
  // How long after a change a batch may come; 0: at once. In ms.
  std::uint64_t lag_target() const { return lag_target_; }
  // How often it has been read.
  std::uint64_t loads() const { return loads_; }
  // True if a TVIEW was filled since the last batch.
  bool has_fills() const;
  // Every record that a fill could cover has been in this batch or an earlier one.
  absl::Status ClearFills();

  // What the adoption of TVIEWs that wait for it locks.
  const std::vector<pg::BusyLock>& adoption_locks() const { return unadopted_.locks; }

  // The batch failed: nothing of what it read is kept.
  void Forget() { loaded_at_ = 0; }

 private:
  absl::Status Watch();
  absl::Status LoadUnadopted();
  absl::Status Moved();
  void ForgetStatements();

  // Takes over the TVIEWs of this lane, and of the others.
  absl::Status Divide(const DependencyGraph& all);

  std::string lane_;
  Standings* standings_;
  BehindTviews* behind_;
  RefreshExecutor* executor_;
  DependencyGraph graph_;
  Lanes other_lanes_;
  std::uint64_t lag_target_ = 0;
  UnadoptedTviews unadopted_;
  std::uint64_t loads_ = 0;
  std::uint64_t loaded_at_ = 0;   // generation_ when the graph was read; 0: not at all
  std::uint64_t planned_at_ = 0;  // invalidations_ when statements were last forgotten
  // As they were before S.
  std::uint64_t invalidations_ = 0;      // of watched relations
  std::uint64_t any_invalidations_ = 0;  // of any relation
  std::uint64_t generation_ = 0;
  std::uint64_t catalog_changes_ = 0;
  bool has_moved_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_CATALOG_H_
