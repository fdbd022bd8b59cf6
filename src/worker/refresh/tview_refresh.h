// One TVIEW's part of a batch, with what happens when it fails.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  transient failures are returned and end the batch; data failures end in quarantine
//
// A batch first runs in one piece. If anything in it raises, it is begun again apart (BatchMode):
// each TVIEW in a subtransaction of its own, so that one that fails can be undone alone. The
// failing keys are found by halving (halving.h), those of a comparison of the whole by going on
// without them (ATTACKS A20).

#ifndef PG_TVIEWS_WORKER_REFRESH_TVIEW_REFRESH_H_
#define PG_TVIEWS_WORKER_REFRESH_TVIEW_REFRESH_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/delta.h"
#include "shared/tview_definition.h"
#include "worker/core/cascade.h"
#include "worker/core/ending.h"
#include "worker/core/repetition.h"
#include "worker/refresh/refresh_executor.h"

struct SnapshotData;

namespace tviews::worker {

class TviewRefresh {
 public:
  struct Options {
    BatchMode mode = BatchMode::kTogether;
    bool is_requested = false;  // a session is told of a failure, which then changes nothing
    Trust trust =
        Trust::kPatient;  // exhausted: every error ends in quarantine, also one that passes
  };
  TviewRefresh(const TviewDefinition& tview, const ReaderColumns& readers, const Options& options,
               RefreshExecutor* executor)
      : tview_(tview),
        readers_(readers),
        mode_(options.trust == Trust::kExhausted ? BatchMode::kApart : options.mode),
        is_requested_(options.is_requested),
        trust_(options.trust),
        executor_(executor) {}

  // The affected keys under `deltas`.
  absl::StatusOr<AffectedKeys> FindKeys(const DeltaSet& deltas);

  // Refreshes them under the active snapshot; what changed goes into `changes`.
  absl::StatusOr<WriteCounts> Apply(const AffectedKeys& affected, DeltaSet* changes);

  // Keys that failed, or 1 if the TVIEW failed as a whole.
  std::size_t errors() const { return failure_.ok() ? failed_keys_ : 1; }

  // The failure that put the TVIEW into quarantine as a whole, or OK.
  const absl::Status& failure() const { return failure_; }

  // What a session that asked for the refresh is told of: that, or the first key's that failed.
  const absl::Status& told() const { return failure_.ok() ? told_ : failure_; }

 private:
  class Trial;

  // True if the whole batch is to be repeated for this error.
  bool IsReasonToRepeat(const absl::Status& error) const;
  // True if no key can be computed.
  absl::StatusOr<bool> ConcernsDefinition(const absl::Status& error);
  absl::StatusOr<WriteCounts> Try(const AffectedKeys& affected, WriteMode mode, DeltaSet* changes);
  absl::StatusOr<AffectedKeys> Distinct(const AffectedKeys& affected) const;
  absl::Status NullKey() const;
  absl::StatusOr<WriteCounts> Fail(const absl::Status& error);
  absl::StatusOr<WriteCounts> ApplyApart(const AffectedKeys& affected, DeltaSet* changes);
  absl::StatusOr<WriteCounts> ApplyKeys(const AffectedKeys& affected, DeltaSet* changes);
  absl::StatusOr<WriteCounts> ApplyWhole(const AffectedKeys& everything, DeltaSet* changes);
  absl::StatusOr<WriteCounts> ApplyApart(const absl::Status& error, DeltaSet* changes);
  absl::StatusOr<WriteCounts> CompareAllBut(RowFailures* failures, DeltaSet* changes);
  absl::Status QuarantineRows(const RowFailures& failures);
  absl::Status CheckNullKey();
  absl::StatusOr<WriteCounts> ApplyConflicting(DeltaSet* changes);
  absl::Status Quarantine(const std::string& key, const absl::Status& error);

  const TviewDefinition& tview_;
  const ReaderColumns& readers_;
  BatchMode mode_;
  bool is_requested_;
  Trust trust_;
  RefreshExecutor* executor_;
  std::vector<std::pair<std::string, absl::Status>> conflicting_;  // over unique columns
  std::size_t failed_keys_ = 0;
  absl::Status failure_;
  absl::Status told_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_TVIEW_REFRESH_H_
