// TVIEWs that were created without data: the applier fills them, a slice of keys per batch.
//
// Layer:   worker
// Sharing: private to the applier; a table, written in the batch's transaction
// Errors:  returns Status
//
// A slice is the next keys after the mark, in their order, that the TVIEW or its query has; the
// batch refreshes them under its snapshot like keys that a change has led to. Keys up to the mark
// follow deltas. Those after it are ignored, because their slice will be computed later, under a
// newer snapshot. So after every batch the TVIEW is exact up to the mark, and after the last slice
// it is exact. The mark is stored with the rows, so whatever ends an applier, the next one goes on.
//
// (1) Readers are refused until pg_tview_fill says who has completed the fill (unpopulated.h), and
//     snapshots that do not see that transaction get 40001 (exchanges.h).
// (2) What changes all rows (a source changed as a whole, another definition) lets the fill begin
//     again; rows that are there already are compared. The third time, and where finding the keys
//     of a slice costs about as much as everything, it is filled in one go.
// (3) A TVIEW that reads one that is not filled waits for it.
// (4) After slices that took t the applier leaves fills alone for t / pg_tviews.fill_budget - t.

#ifndef PG_TVIEWS_WORKER_BATCH_ONLINE_FILLS_H_
#define PG_TVIEWS_WORKER_BATCH_ONLINE_FILLS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/cascade.h"
#include "worker/core/ending.h"
#include "worker/core/repetition.h"
#include "worker/core/standings.h"
#include "worker/refresh/refresh_executor.h"

namespace tviews::worker {

// True if the database has a TVIEW that is to be filled, as the active snapshot sees it.
absl::StatusOr<bool> AnyFill();

class OnlineFills {
 public:
  // A batch begins: reads, under the active snapshot, how far the fills are. Costs nothing where
  // there are none and the graph is the one that was looked through.
  absl::Status BeginBatch(const DependencyGraph& graph, std::uint64_t loads,
                          const Standings& standings);

  bool any() const { return !fills_.empty(); }
  bool Has(RelationId tview) const { return fills_.contains(tview); }
  // True if this batch is to do a slice of any.
  bool is_due() const { return is_due_; }
  bool IsNext(RelationId tview) const;
  // True if no slice is done: where it is left aside, it owes everything, so that it is waited for.
  bool IsToBegin(RelationId tview) const;
  // Milliseconds until a batch should do slices; -1: never.
  long DueMs() const;

  struct Request {
    bool is_requested = false;  // by a session, or by what ends a quarantine: everything at once
    BatchMode mode = BatchMode::kTogether;
  };
  // What of `affected` concerns `tview`, which is being filled, and its next slice.
  absl::StatusOr<AffectedKeys> Extend(const TviewDefinition& tview, AffectedKeys affected,
                                      const Request& request, RefreshExecutor* executor);
  // `tview` has been refreshed as Extend said, which was `rows` rows. Nothing if it is not being
  // filled.
  absl::Status Note(const TviewDefinition& tview, std::uint64_t rows);

  // Whether errors of a slice that may pass are still believed to: no batch is held up for them, so
  // that nobody else counts them.
  Trust TrustIn(RelationId tview) const;
  // True if the batch computes a slice that is not believed.
  bool MustBeApart() const;

  // The batch is over: how long the next slices may be, and when they are due.
  void AfterCommit();
  // `refreshing`: the TVIEW that it failed for, or 0.
  void AfterFailure(RelationId refreshing, Ending ending);

 private:
  struct Progress {
    bool in_one_go = false;
    std::optional<std::string> mark;
    std::uint64_t rows_done = 0;
    std::optional<std::uint64_t> rows_expected;
    std::uint64_t restarts = 0;
  };
  // What this batch does of one fill.
  struct Step {
    Progress next;
    bool is_slice = false;
    bool is_last = false;
    std::size_t keys = 0;
    std::size_t followed = 0;  // keys up to the mark, which changes have led to
    Timestamp began_at = 0;
    Timestamp found_at = 0;  // the keys
    Timestamp ended_at = 0;
  };

  absl::Status Read(const DependencyGraph& graph);
  bool IsWaiting(const TviewDefinition& tview) const;
  absl::StatusOr<AffectedKeys> ExtendTo(const TviewDefinition& tview, AffectedKeys affected,
                                        const Request& request, RefreshExecutor* executor,
                                        Step* step);
  absl::Status Plan(const TviewDefinition& tview, RefreshExecutor* executor, Progress* progress);
  absl::Status AddSlice(const TviewDefinition& tview, RefreshExecutor* executor, Step* step,
                        AffectedKeys* affected);
  std::size_t SliceOf(RelationId tview) const;
  void Adapt(RelationId tview, const Step& step);
  void Rest(Timestamp now);
  Timestamp DueAt() const;

  std::map<RelationId, Progress> fills_;
  std::map<RelationId, Step> steps_;          // of this batch
  std::map<RelationId, std::size_t> slices_;  // keys of the next one
  std::map<RelationId, int> failures_;        // of it, in a row, for what may pass
  std::uint64_t loads_ = 0;                   // of the graph that was looked through; 0: none
  std::size_t candidates_ = 0;                // that this batch could fill
  bool is_due_ = false;
  Timestamp due_at_ = 0;    // not before
  Timestamp ended_at_ = 0;  // the last slices, and what they took: the setting may change since
  Timestamp used_ = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_ONLINE_FILLS_H_
