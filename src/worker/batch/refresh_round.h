// The refreshes of one batch: every TVIEW that it concerns, in dependency order.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status; BatchState::refreshing says which TVIEW was being refreshed
//
// A TVIEW is written under S, or not at all; what it owes then is kept (behind.h).

#ifndef PG_TVIEWS_WORKER_BATCH_REFRESH_ROUND_H_
#define PG_TVIEWS_WORKER_BATCH_REFRESH_ROUND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/tview_definition.h"
#include "worker/batch/batch_state.h"
#include "worker/core/coalescer.h"
#include "worker/core/repetition.h"
#include "worker/refresh/tview_refresh.h"

namespace tviews::worker {

class RefreshRound {
 public:
  RefreshRound(BatchState* state, Coalescer* coalescer, BatchMode mode);

  // The TVIEWs of the graph's order that the batch may write: those that its changes reach, and
  // those that are due for another reason. After Run, without those that it left aside.
  const std::vector<bool>& reachable() const { return reachable_; }

  // REQUIRES: the batch holds its locks.
  absl::Status Run();

 private:
  std::vector<bool> FindReachable() const;
  bool IsDue(RelationId tview, Timestamp now) const;
  bool IsPassedBy(const TviewDefinition& tview) const;
  absl::Status LeaveAside(const TviewDefinition& tview, const std::string& obstacle);
  void NoteEnd(RelationId tview);
  absl::Status RefreshWithinLimits(const TviewDefinition& tview);
  absl::Status Refresh(const TviewDefinition& tview);
  absl::StatusOr<AffectedKeys> KeysFor(const TviewDefinition& tview, TviewRefresh* refresh);
  absl::StatusOr<AffectedKeys> KeysToFollow(const TviewDefinition& tview, TviewRefresh* refresh);
  absl::Status AddPassed(const TviewDefinition& tview, AffectedKeys* affected);
  void Show(const TviewDefinition& tview, const AffectedKeys& affected);
  // How a refresh went.
  struct Course {
    std::size_t errors = 0;
    bool reads_states = false;
    Timestamp begin = 0;
  };
  void Count(const TviewDefinition& tview, const AffectedKeys& affected, const WriteCounts& counts,
             const Course& course);
  Timestamp ChangedAt(const TviewDefinition& tview) const;
  ReaderColumns ReadersOf(RelationId tview) const;

  BatchState& state_;
  const DependencyGraph& graph_;
  Coalescer& coalescer_;
  BatchMode mode_;
  std::vector<bool> reachable_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_REFRESH_ROUND_H_
