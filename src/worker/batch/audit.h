// The auditor: keys of idle moments, compared with the defining query at the frontier.
//
// Layer:   worker
// Sharing: private to the applier; counts in shared memory
// Errors:  returns Status; a failed step ends no batch for good, see BatchRunner::Run
//
// A batch without records stands exactly at its snapshot, so an ordinary refresh of sampled keys in
// it is check and repair in one: what it writes is what differed. A step takes the next keys, in
// their order, that the TVIEW or its query has; at the end of a TVIEW the next one follows, round
// and round. pg_tviews.audit_rate says how many keys per second; a step is ended by force after a
// quarter of a second, and the auditor rests nineteen times as long as a step took.
//
// After its rows come the group states of a TVIEW: a step compares the next groups with their
// source. One that differs is forgotten, and what was computed of it is compared as a whole by the
// next batch: the TVIEW is suspect until then.
//
// A key that differs again after it was repaired is its definition's fault: the same rows give it
// different results. Its TVIEW is no longer audited, until its statistics are reset.
//
// Left out: TVIEWs in quarantine, those whose rows their sources do not determine, and keys in
// quarantine.

#ifndef PG_TVIEWS_WORKER_BATCH_AUDIT_H_
#define PG_TVIEWS_WORKER_BATCH_AUDIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/types.h"
#include "worker/batch/online_fills.h"
#include "worker/core/cascade.h"
#include "worker/core/standings.h"
#include "worker/refresh/group_states.h"
#include "worker/refresh/refresh_executor.h"
#include "worker/write/tview_writer.h"

namespace tviews::worker {

class Audit {
 public:
  // Milliseconds until a step is due; -1 if none will be.
  long NextDueMs() const;
  bool IsDue() const { return NextDueMs() == 0; }

  // Begins a step: chooses a TVIEW. False if there is none to audit.
  // None of those that are behind or being filled, which do not stand at the frontier.
  absl::StatusOr<bool> Begin(const DependencyGraph& graph, const Standings& standings,
                             const OnlineFills& fills, const GroupStates& groups);
  // True between Begin and AfterCommit or AfterFailure.
  bool is_running() const { return step_.tview != 0; }
  bool Contains(RelationId tview) const { return is_running() && step_.tview == tview; }
  bool has_differences() const { return step_.differences > 0; }

  // Whose states have differed since the last batch of another kind.
  bool has_suspect() const { return suspect_ != 0; }
  bool IsSuspect(RelationId tview) const { return has_suspect() && suspect_ == tview; }
  void ClearSuspect() { suspect_ = 0; }

  // A step that takes longer is given up.
  static constexpr int kMaxStepMs = 250;

  // The keys of this step. REQUIRES: the batch holds its locks.
  absl::StatusOr<AffectedKeys> Sample(const TviewDefinition& tview, RefreshExecutor* executor);
  // Where refreshing them adds the keys that it writes.
  std::vector<std::string>* repaired() { return &step_.repaired; }
  // True if this step compares group states instead.
  bool is_of_states() const { return step_.is_of_states; }
  absl::Status CompareStates(const TviewDefinition& tview, GroupStates* groups);
  // What refreshing them wrote.
  void Note(std::size_t keys, const WriteCounts& counts);

  // The step is over: differences are logged and counted.
  void AfterCommit();
  // The step is given up, and so is this TVIEW until its next turn.
  void AfterFailure(const absl::Status& error);

 private:
  struct Step {
    RelationId tview = 0;
    bool is_sampled = false;
    bool is_last = false;  // of the TVIEW's rows
    bool has_states = false;
    bool is_of_states = false;
    GroupComparison states;
    std::optional<std::string> end;
    std::string name;
    std::uint64_t keys = 0;
    std::uint64_t differences = 0;
    WriteCounts counts{};
    std::vector<std::string> repaired;  // images of keys
  };
  // Whether one of the step's keys was repaired before. Remembers them.
  bool HasRepeated();
  void Report(bool is_repeated) const;
  void ReportStates() const;
  void AfterRows();
  void AfterStates();
  void AdvanceOverRows();
  void Advance();
  void Rest();

  Step step_;
  // By TVIEW, images of keys; a limited number.
  absl::flat_hash_map<RelationId, absl::flat_hash_set<std::string>> repaired_;
  RelationId tview_ = 0;                    // whose turn it is; 0: anybody's
  std::optional<std::string> after_;        // image of the last key that was sampled
  std::optional<GroupPosition> in_states_;  // of its states; nothing: its rows are not done
  RelationId suspect_ = 0;
  Timestamp began_at_ = 0;
  Timestamp due_at_ = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_AUDIT_H_
