// Brings one TVIEW up to the batch's snapshot: recomputes affected documents, writes those that
// differ.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status; what it wrote is undone by the caller's rollback
//
// Everything the TVIEW's definition executes runs as its owner (boundary/user_scope.h). Which
// statement recomputes the keys is for shape_chooser.h to say.

#ifndef PG_TVIEWS_WORKER_REFRESH_REFRESH_EXECUTOR_H_
#define PG_TVIEWS_WORKER_REFRESH_REFRESH_EXECUTOR_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/delta.h"
#include "shared/refresh_plan.h"
#include "shared/shared_counter.h"
#include "shared/tview_definition.h"
#include "worker/core/cascade.h"
#include "worker/core/repetition.h"
#include "worker/feed/change_feed.h"
#include "worker/refresh/change_notes.h"
#include "worker/refresh/group_states.h"
#include "worker/refresh/key_queries.h"
#include "worker/refresh/key_values.h"
#include "worker/refresh/shape_chooser.h"
#include "worker/refresh/statement_cache.h"
#include "worker/refresh/write_notes.h"
#include "worker/write/tview_writer.h"

struct SnapshotData;

namespace tviews::worker {

class RefreshExecutor {
 public:
  // For monitoring every recomputed row is counted in `rows_done`, and the number of rows to come
  // is written to `rows_total` where an empty TVIEW is filled.
  RefreshExecutor(SharedCounter* rows_done, SharedCounter* rows_total)
      : rows_done_(rows_done), rows_total_(rows_total) {}
  RefreshExecutor(const RefreshExecutor&) = delete;
  RefreshExecutor& operator=(const RefreshExecutor&) = delete;

  // Adds to `keys`, unless it is null, the image of the key of every row that is written by keys.
  void NoteWrittenKeys(std::vector<std::string>* keys) { written_keys_ = keys; }

  // Keys are computed with these group states, until others are named.
  void UseStates(const UsableStates* states) { states_ = states; }

  // Asks for keys, with the same statements.
  KeyQueries& keys() { return keys_; }

  // Refreshes the affected documents under `snapshot`. What changed goes into `changes` if
  // `readers` ask for it.
  absl::StatusOr<WriteCounts> Refresh(const TviewDefinition& tview, const AffectedKeys& affected,
                                      const ReaderColumns& readers, WriteMode mode,
                                      SnapshotData* snapshot, DeltaSet* changes);

  // Compares the whole TVIEW but for the keys `left_alone`, whose stored rows stay as they are.
  // Goes on where a row cannot be written, and lists it: if it has listed a key, undo everything.
  // Fails where that happens too often.
  absl::StatusOr<WriteCounts> RefreshAllBut(const TviewDefinition& tview, const KeySet& left_alone,
                                            const ReaderColumns& readers, SnapshotData* snapshot,
                                            DeltaSet* changes, RowFailures* failures);

  // Fails where no key of the TVIEW can be computed, or its rows cannot be stored.
  absl::Status Probe(const TviewDefinition& tview, SnapshotData* snapshot);

  // What the planner expects of the whole, and of finding one key by `next_key`.
  struct FillEstimate {
    double rows = 0;
    double cost = 0;
    double cost_of_key = 0;
  };
  absl::StatusOr<FillEstimate> EstimateFill(const TviewDefinition& tview,
                                            const std::string& next_key);

  // Apart: without helper processes (helpers.h), and computing the affected keys only.
  void SetMode(BatchMode mode) { mode_ = mode; }

  // Refreshes of another batch follow; its change feed tells of this frontier, which stays in
  // place.
  void BeginBatch(const SnapshotBounds* frontier);

  // Forgets prepared statements and chosen shapes: relations changed.
  void ForgetStatements();

  std::size_t statements() const { return statements_.size(); }

 private:
  struct Tolerance;

  absl::StatusOr<ChangeFeed*> OpenFeed(const TviewDefinition& tview);
  absl::StatusOr<WriteCounts> RefreshWhole(const TviewDefinition& tview,
                                           const ReaderColumns& readers, WriteMode mode,
                                           SnapshotData* snapshot, ChangeFeed* feed,
                                           DeltaSet* changes, Tolerance* tolerance);
  absl::StatusOr<WriteCounts> RefreshSlices(const TviewDefinition& tview,
                                            const std::vector<std::string>& keys,
                                            const ReaderColumns& readers, WriteMode mode,
                                            SnapshotData* snapshot, ChangeFeed* feed,
                                            DeltaSet* changes);
  absl::StatusOr<WriteCounts> RefreshKeys(const TviewDefinition& tview,
                                          const std::vector<std::string>& keys,
                                          const ReaderColumns& readers, WriteMode mode,
                                          SnapshotData* snapshot, ChangeFeed* feed,
                                          DeltaSet* changes);
  absl::Status Recompute(const TviewDefinition& tview, const std::vector<std::string>& keys,
                         _DestReceiver* destination);
  absl::Status RecomputePart(const TviewDefinition& tview, const KeyPart& part,
                             const ChosenShape& alone, _DestReceiver* destination);
  absl::StatusOr<int> ChooseHelpers(const TviewDefinition& tview, std::size_t keys);
  absl::Status FinishFeed(const TviewDefinition& tview, const WriteCounts& counts,
                          ChangeFeed* feed);

  std::vector<std::string>* written_keys_ = nullptr;
  const UsableStates* states_ = nullptr;
  SharedCounter* rows_done_;
  SharedCounter* rows_total_;
  const SnapshotBounds* frontier_ = nullptr;  // of the batch
  std::string frontier_text_;                 // for the open change feed
  StatementCache statements_;
  ShapeChooser shapes_;
  KeyQueries keys_{&statements_, &shapes_};
  BatchMode mode_ = BatchMode::kApart;
  absl::flat_hash_set<RelationId> written_;              // TVIEWs that this batch has changed
  absl::flat_hash_map<RelationId, bool> parallel_safe_;  // TVIEWs that were asked about
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_REFRESH_EXECUTOR_H_
