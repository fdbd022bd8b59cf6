// TVIEWs that batches leave aside: a relation that they need is locked by a session, or their own
// refresh fails or takes more than it may.
//
// Layer:   worker
// Sharing: private to the applier; tables, written in the batch's transaction
// Errors:  returns Status
//
// The stream must not stand still because somebody holds a strong lock on one TVIEW or source. So a
// batch that cannot lock something goes on without the TVIEWs that need it, and without those that
// read them. Such a TVIEW keeps the state of an earlier snapshot, which pg_tview_behind tells, and
// what the batch knows of changes to its sources is kept in pg_tview_owed. The first batch that can
// lock everything again merges that with its own deltas. This is exact: between the state of the
// TVIEW and the new snapshot lie just the changes of the batches that left it aside, and of this
// one.
//
// Of those whose own refresh is at fault (a definition that loops, sleeps, needs all memory), the
// next attempt comes after a pause that grows with what the last one cost, so that the others have
// nine tenths of the time at least. pg_tview_behind.retry_at says when; it outlives the applier.
// Nobody waits for such a TVIEW, as it can take for ever: but where it fails for lack of resources,
// which passes, or ends in quarantine within a minute.
//
// (1) A TVIEW is in pg_tview_behind, as any snapshot sees it, or stands at that snapshot's
// frontier. (2) A TVIEW that reads one that is behind is behind too, once that one owes it
// anything.

#ifndef PG_TVIEWS_WORKER_BATCH_BEHIND_H_
#define PG_TVIEWS_WORKER_BATCH_BEHIND_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/change_record.h"
#include "shared/delta.h"
#include "shared/dependency_graph.h"
#include "shared/tview_definition.h"
#include "worker/batch/batch_locks.h"
#include "worker/core/back_off.h"

namespace tviews::worker {

// True if the database has TVIEWs that are behind, as the active snapshot sees it.
absl::StatusOr<bool> AnythingBehind();

class BehindTviews {
 public:
  // Reads which TVIEWs are behind. What is kept for TVIEWs that `graph` does not know any more is
  // deleted.
  absl::Status Load(const DependencyGraph& graph);

  bool empty() const { return behind_.empty(); }
  // Milliseconds until one should be tried; 0: now, and again soon; -1: never.
  long DueMs() const;
  bool Contains(RelationId tview) const { return behind_.contains(tview); }

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

  // A lock was not to be had while `tview` was refreshed: it is left aside for a while.
  void NoteStuck(RelationId tview);
  // The same where its batch gave way to a session that waits for a lock.
  void NoteGaveWay(RelationId tview);
  // Its own refresh failed with an error, or was ended, after `spent` microseconds.
  void NoteFault(RelationId tview, const std::string& reason, Timestamp spent, bool is_error);
  // Somebody asks for it: it is tried without a pause.
  void TryNow(RelationId tview);

  // False if its batches have given way so often that it goes through now.
  bool GivesWay(RelationId tview) const;
  // True if it is left behind for its own fault.
  bool IsAtFault(RelationId tview) const;
  // True if it has failed with errors so often that they say something about its data.
  bool IsHopeless(RelationId tview) const;

  void AfterCommit();

  // Those that sessions wait for, and how many others there are.
  std::set<RelationId> WaitedFor() const;
  std::size_t GivenUp() const { return retry_at_.size(); }

 private:
  struct Stuck {
    BackOff pause;
    std::string reason = {};
    bool is_own_fault = false;
    bool is_given_up = false;  // nobody waits for it
    bool is_told = false;      // by pg_tview_behind
    int times_gave_way = 0;
    int errors = 0;
  };
  Stuck& Pause(RelationId tview, bool is_own_fault, Timestamp at_least);
  void Remember(const TviewDefinition& tview, const std::string& reason, Timestamp until);
  Timestamp RetryAt(const TviewDefinition& tview) const;
  absl::StatusOr<DeltaSet> TakeOwed(RelationId tview);
  absl::Status Forget(RelationId tview);
  absl::Status Owe(RelationId tview, const Origin& here, DeltaSet deltas);

  std::set<RelationId> behind_;
  std::vector<std::string> caught_up_;  // by this batch
  std::set<RelationId> left_aside_;     // by this batch, and behind
  std::map<RelationId, Stuck> stuck_;
  std::map<RelationId, Timestamp> retry_at_;  // of those behind for a fault, their own or another's
  bool has_changed_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BEHIND_H_
