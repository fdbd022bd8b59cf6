// Which databases, and which lanes of them, get an applier next.
//
// Layer:   core
// Sharing: private to the launcher
// Errors:  cannot fail
//
//   not wanted --Want--> wanted --Next, NoteStarted--> running --NoteEnded--> not wanted
//                          '--NoteNoWorker: tried again after a second--'
//
// (1) Databases are started in turn: the one that was started last is the last to be started again.
// (2) One whose applier ended without having done anything waits for a back-off.
// (3) A database that nobody wants is forgotten some time after its back-off has ended.
//
// The clock is the caller's, in microseconds.

#ifndef PG_TVIEWS_WORKER_CORE_LAUNCH_PLAN_H_
#define PG_TVIEWS_WORKER_CORE_LAUNCH_PLAN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "shared/types.h"
#include "worker/core/back_off.h"

namespace tviews::worker {

// A database, and above it which place of the table of slots its lane has; 0: the main one.
using Launchee = std::uint64_t;

class LaunchPlan {
 public:
  // How long an applier that has just been started may take to find out whether it has work.
  static constexpr Timestamp kVisitTime = 2 * 1000000;

  void Want(Launchee launchee);

  // The database whose turn it is; none if no one is wanted that is not running and may be started.
  std::optional<Launchee> Next(Timestamp now) const;
  void NoteStarted(Launchee launchee, Timestamp now);
  // No background worker was to be had for it.
  void NoteNoWorker(Launchee launchee, Timestamp now);

  // Its applier has ended. `worked_at`: when it committed its last batch; 0: never.
  void NoteEnded(Launchee launchee, Timestamp worked_at, Timestamp now);

  // A place became free for which some have waited: back-offs end.
  void EndWaits();
  // Forgets what (3) says.
  void Forget(Timestamp now);

  bool IsRunning(Launchee launchee) const;
  int running() const;
  // True if one was started a moment ago, for which `is_settled` does not hold yet: it may find
  // nothing to do and end.
  bool IsVisiting(Timestamp now, absl::FunctionRef<bool(Launchee)> is_settled) const;
  // When Next should be asked again, if nothing happens; at most `now` + `longest`.
  Timestamp NextAt(Timestamp now, Timestamp longest) const;

 private:
  struct Launch {
    Launchee launchee = 0;
    bool is_wanted = true;
    bool is_running = false;
    Timestamp started_at = 0;
    BackOff back_off;
  };
  Launch* Find(Launchee launchee);

  std::vector<Launch> launches_;  // those that have waited longest first
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_LAUNCH_PLAN_H_
