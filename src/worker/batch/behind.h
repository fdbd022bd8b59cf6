// TVIEWs that batches leave aside, in the tables: which are behind, and what they owe.
//
// Layer:   worker
// Sharing: private to the applier; tables, written in the batch's transaction
// Errors:  returns Status
//
// The stream must not stand still because somebody holds a strong lock on one TVIEW or source, or
// because of one definition. So a batch goes on without the TVIEWs that need what it cannot lock,
// without those that are held back for a fault (standings.h), and without those that read them.
// Such a TVIEW keeps the state of an earlier snapshot, which pg_tview_behind tells, and what the
// batch knows of changes to its sources is kept in pg_tview_owed. The first batch that can refresh
// it again merges that with its own deltas. This is exact: between the state of the TVIEW and the
// new snapshot lie just the changes of the batches that left it aside, and of this one.
//
// (1) A TVIEW is in pg_tview_behind, as any snapshot sees it, or stands at that snapshot's
// frontier. (2) A TVIEW that reads one that is behind is behind too, once that one owes it
// anything.

#ifndef PG_TVIEWS_WORKER_BATCH_BEHIND_H_
#define PG_TVIEWS_WORKER_BATCH_BEHIND_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/change_record.h"
#include "shared/delta.h"
#include "shared/dependency_graph.h"
#include "shared/tview_definition.h"
#include "worker/batch/batch_locks.h"
#include "worker/core/standings.h"

namespace tviews::worker {

// True if the database has TVIEWs that are behind, as the active snapshot sees it.
absl::StatusOr<bool> AnythingBehind();

class BehindTviews {
 public:
  BehindTviews(std::string lane, Standings* standings)
      : lane_(std::move(lane)), standings_(standings) {}

  // Those of `graph` that are behind, as the active snapshot sees it. What is kept for TVIEWs that
  // `all` of the database do not have any more is deleted, by the main lane.
  absl::StatusOr<std::vector<Standings::Behind>> Read(const DependencyGraph& graph,
                                                      const DependencyGraph& all);

  // A batch begins.
  void BeginBatch();
  // Why the batch cannot refresh `tview`, or an empty text.
  absl::StatusOr<std::string> ObstacleFor(const TviewDefinition& tview, const BatchLocks& locks,
                                          const DependencyGraph& graph) const;
  // Leaves `tview` aside: it owes what concerns it in `deltas`. Nothing changes if it owed nothing
  // before and `deltas` do not concern it. `is_to_compare`: it owes a comparison as a whole, kept
  // as a change of all of itself.
  absl::Status LeaveAside(const TviewDefinition& tview, const std::string& reason,
                          const Origin& here, const DeltaSet& deltas, bool is_to_compare);
  // Takes what `tview` owes; it counts as caught up.
  absl::StatusOr<DeltaSet> CatchUp(const TviewDefinition& tview);
  // True if the batch has written any of this.
  bool has_changed() const { return has_changed_; }

  void AfterCommit() const;

 private:
  absl::StatusOr<DeltaSet> TakeOwed(RelationId tview);
  absl::Status Forget(RelationId tview);
  absl::Status Owe(RelationId tview, const Origin& here, DeltaSet deltas);

  std::string lane_;
  Standings* standings_;
  std::vector<std::string> moves_;  // of this batch, for the log
  bool has_changed_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BEHIND_H_
