// The frontier's time T: what now() is in definitions, beside the snapshot S.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// Every batch that brings news moves T to its own time; it never goes back, also where the server's
// clock does. A TVIEW shows T rounded down to its period, so it is compared with its query when a
// period has passed, and when it was filled in another one. Where it only has deadlines, the rows
// count as changed whose moments T has passed.

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_CLOCK_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_CLOCK_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/batch/deadlines.h"
#include "worker/core/cascade.h"
#include "worker/refresh/refresh_executor.h"

struct SnapshotData;

namespace tviews::worker {

// True if a TVIEW of this database waits for moments.
absl::StatusOr<bool> AnyClock();

class BatchClock {
 public:
  // The clock of a lane.
  explicit BatchClock(std::string lane) : lane_(std::move(lane)) {}

  // Reads T as the last batch left it, and sets what it is for this one. `loads` says whether
  // `graph` is another one.
  absl::Status BeginBatch(SnapshotData* snapshot, const DependencyGraph& graph,
                          std::uint64_t loads);
  // The batch brings no news: T stays where it was.
  void Hold();

  Timestamp time() const { return time_; }

  // True if now() is another for `tview` than in its rows.
  bool IsDue(const TviewDefinition& tview) const;
  bool AnyDue(const DependencyGraph& graph) const;

  // True if rows of `tview` may have changed by themselves.
  bool HasPassed(const TviewDefinition& tview) const;
  // Adds the keys of those that have.
  absl::Status AddPassed(const TviewDefinition& tview, RefreshExecutor* executor,
                         AffectedKeys* affected) const;

  // In the batch, when all TVIEWs stand at T.
  absl::Status FindNext(const DependencyGraph& graph);
  // When now() becomes another for one of them, or a row changes by itself; 0: never.
  Timestamp NextDue(const DependencyGraph& graph) const;

 private:
  Timestamp ShownBy(const TviewDefinition& tview) const;

  std::string lane_;
  Deadlines deadlines_;
  std::uint64_t loads_ = 0;  // of the graph whose deadlines are known
  Timestamp before_ = 0;
  Timestamp time_ = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_CLOCK_H_
