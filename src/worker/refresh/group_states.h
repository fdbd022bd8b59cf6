// Group states: rows of source tables, added up by columns, that batches keep by what has changed
// (shared/pg/planner/group_level.h).
//
// Layer:   worker
// Sharing: private to the applier; tviews_internal.pg_tview_group_*
// Errors:  returns Status
//
// A state is a cache of what a level of a query is computed of. Every batch adds the images that
// its records count (shared/delta.h), in its transaction. Where these do not tell of every change,
// exactly once, the state is forgotten: in doubt the query reads its sources as if there were none,
// and the state is built anew, under the batch's snapshot, when keys are computed next.
//
// Rows of a join come and go with the rows of each table. With A and B before a batch, and A' and
// B' after it, the batch adds A x (B' - B) and then (A' - A) x B': so in between the state is that
// of A x B', in which nothing is negative. A' and B' are the tables, as the snapshot shows them,
// and A is A' less what has changed.
//
// (1) Whatever pg_tview_group_built names equals its query under the snapshot of the last batch.
// (2) Its upkeep has the settings and the limits of its TVIEW. One that takes longer, or fails, is
//     forgotten: it keeps no batch from its end.
// (3) It is read by refreshes of keys only: comparisons of the whole, audits and helpers compute
//     from the sources. What the auditor finds to differ is forgotten (group_audit.cc).

#ifndef PG_TVIEWS_WORKER_REFRESH_GROUP_STATES_H_
#define PG_TVIEWS_WORKER_REFRESH_GROUP_STATES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/change_record.h"
#include "shared/delta.h"
#include "shared/dependency_graph.h"
#include "shared/pg/planner/group_reading.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/standings.h"
#include "worker/refresh/group_statements.h"
#include "worker/refresh/memory_limit.h"

namespace tviews::worker {

struct UsableStates {
  std::vector<pg::UsableState> list;  // of GroupStates, until its next batch
  std::string name;                   // of this list, among others
};

// Where the comparison of the states of a TVIEW goes on.
struct GroupPosition {
  int state = 0;                                    // this one, or the next by number
  std::optional<std::string> after = std::nullopt;  // a key as text; nothing: from the beginning
};
struct GroupComparison {
  std::optional<GroupPosition> next;  // nothing: all are compared
  std::size_t differences = 0;        // groups
  std::string name;                   // of the state
};

// What states follow.
struct FollowedBatch {
  std::uint64_t loads;  // how often the catalog has been read
  const DeltaSet& deltas;
  const Origin& here;
  const DependencyGraph& graph;
  const Standings& standings;
};

class GroupStates {
 public:
  explicit GroupStates(DataSize* data_in_use) : data_in_use_(data_in_use) {}

  // Adds what the records of a batch have changed. REQUIRES: the batch has found that the catalogs
  // have not moved since its snapshot.
  absl::Status Follow(const FollowedBatch& batch);

  // Those that keys of `tview` may be computed with; builds what is missing. REQUIRES: the batch
  // holds the TVIEW's locks.
  absl::StatusOr<UsableStates> Prepare(const TviewDefinition& tview);

  bool HasValid(RelationId tview) const;
  // Compares the next groups of a state of `tview` with its source, under the batch's snapshot.
  absl::StatusOr<GroupComparison> Compare(const TviewDefinition& tview, const GroupPosition& from);

  // The states of `tview` are to be built anew.
  absl::Status Doubt(RelationId tview);

 private:
  struct State {
    int id = 0;
    RelationId tview = 0;
    RelationId source = 0;  // the first
    TypeId key_type = 0;
    int sums = 0;
    int extremes = 0;
    std::string spec;
    GroupTexts texts;
    std::vector<RelationId> sources;
    std::vector<std::vector<AttributeNumber>> columns;  // of each source
    bool is_valid = false;
    std::string fingerprint;
  };
  // When one was built last, and how long that took.
  struct Build {
    Timestamp ended_at = 0;
    Timestamp duration = 0;
    int failures = 0;  // in a row
  };
  // How a piece of a state's upkeep ended.
  struct Attempt {
    absl::Status status;
    bool is_of_the_state = false;  // its failure ends no batch
  };

  absl::Status Load();
  absl::Status LoadSources();
  static absl::Status RemoveLeft();
  static absl::StatusOr<WrittenState> Writable(const State& state);
  absl::Status Forget(State* state);
  absl::StatusOr<bool> CanFollow(const State& state, const FollowedBatch& batch) const;
  Attempt Within(const TviewDefinition& tview, absl::FunctionRef<absl::Status()> work);
  static absl::Status Add(const TviewDefinition& tview, const State& state, const DeltaSet& deltas);
  absl::Status Rebuild(const TviewDefinition& tview, State* state);
  absl::StatusOr<std::string> FingerprintOf(const State& state) const;

  DataSize* data_in_use_;
  std::vector<State> states_;
  absl::flat_hash_map<int, Build> builds_;
  std::uint64_t loaded_at_ = 0;
  Origin here_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_GROUP_STATES_H_
