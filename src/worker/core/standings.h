// How each TVIEW stands, and what brings it from one state to another: the applier's memory of it.
//
// Layer:   core
// Sharing: private to the applier
// Errors:  cannot fail
//
//   follows --Blame (GiveWay, LackLock), a missing lock, a source that is behind;
//             LeaveAside--> left aside --a batch can refresh it; CatchUp--> follows
//   follows --Blame (LeaveBehind); LeaveAside--> left behind --retry_at, or Ask; CatchUp--> follows
//   follows --Quarantine--> in quarantine --its pause is over; Retry--> follows, if that succeeds
//   trusted --Blame, too often--> exhausted --CatchUp, Commit--> distrusted --Commit, nothing in
//             quarantine--> trusted
//   awaits adoption: as AwaitAdoption says
//
// States of different lines can meet in one TVIEW. The tables hold what outlives an applier: which
// TVIEWs are behind (pg_tview_behind), which are in quarantine (pg_tview_meta); Load takes it over.
// Transitions take place within a batch's transaction; after a batch that fails comes another Load.
//
// Patience. A transient error is answered by repeating the batch. A definition can raise such an
// error itself, by RAISE or by needing more memory than there is, and would stop the stream for
// ever. So after a few repetitions, or half a second of them, the TVIEW is left aside, and the
// others go on. After a number of failures on its own its next one counts as an error of the data:
// keys are put into quarantine. Lack of resources, which may be somebody else's and pass, is given
// more time than lost races.
//
// Of those whose own refresh is at fault (a definition that loops, sleeps, needs all memory), the
// next attempt comes after a pause that grows with what the last one cost, so that the others have
// nine tenths of the time at least. Nobody waits for such a TVIEW, as it can take for ever: but
// where it fails for lack of resources, or ends in quarantine within a minute. Nor does anybody
// wait any longer for one whose functions have not got a lock for half a minute (or say so).
//
// Quarantine of a whole TVIEW. Batches pass it by. What made it fail may be gone without a change
// that reaches it (a privilege, a function, a setting), so it is compared with its query again
// after a pause that doubles with every failure, up to a minute: it heals without anybody's help.
//
// The clock is the caller's, in microseconds.

#ifndef PG_TVIEWS_WORKER_CORE_STANDINGS_H_
#define PG_TVIEWS_WORKER_CORE_STANDINGS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shared/dependency_graph.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/back_off.h"
#include "worker/core/ending.h"

namespace tviews::worker {

class Standings {
 public:
  // Of the tables: a TVIEW that is behind. `retry_at` 0: as soon as its locks are to be had.
  struct Behind {
    RelationId tview = 0;
    std::string reason;
    Timestamp retry_at = 0;
  };

  // The graph was read again, and which of its TVIEWs are behind. TVIEWs that are still in
  // quarantine keep their pauses.
  void Load(const DependencyGraph& graph, const std::vector<Behind>& behind, Timestamp now);
  // These wait to be adopted.
  void AwaitAdoption(std::set<RelationId> tviews) { unadopted_ = std::move(tviews); }
  // Whether anything is in quarantine, keys or TVIEWs.
  void NoteQuarantine(bool any) { has_quarantine_ = any; }

  // A batch begins. It refreshes each TVIEW apart if MustBeApart.
  void BeginBatch();
  bool MustBeApart() const;

  // Why a batch does not try `tview`, or an empty text.
  std::string ObstacleTo(const TviewDefinition& tview, const DependencyGraph& graph,
                         Timestamp now) const;
  // False if its batches have given way so often that it goes through now.
  bool GivesWay(RelationId tview) const;
  // Whether its passing errors are still believed to pass.
  Trust TrustIn(RelationId tview) const;

  // The batch leaves `tview` aside, which owes something of this batch or not. Nothing if it is
  // not concerned, or if the tables tell all of it already.
  struct Leaving {
    bool is_first = false;   // it was not behind before
    Timestamp retry_at = 0;  // 0: as soon as its locks are to be had
  };
  std::optional<Leaving> LeaveAside(const TviewDefinition& tview, bool owes);
  void CatchUp(RelationId tview);
  // Somebody asks for it: it is tried without a pause.
  void Ask(RelationId tview);

  // It fails as a whole, and is tried again later.
  void Quarantine(RelationId tview, Timestamp now);
  void Retry(RelationId tview, Timestamp now);

  // The batch failed while `tview` was refreshed, which took `spent`. The fault for which it is
  // left behind from now on, or an empty text.
  struct Failure {
    Ending ending = Ending::kData;
    std::string error;
    Timestamp spent = 0;
  };
  std::string Blame(RelationId tview, const Failure& failure, Timestamp now);
  // For a fault of its own it is tried after a rest that grows with what the last attempt cost.
  void LeaveBehind(RelationId tview, const std::string& fault, Timestamp spent, Timestamp now);
  // The same for what has ended appliers, whether or not the next batch concerns it: until then it
  // is accused.
  void Accuse(RelationId tview, const std::string& fault, Timestamp spent, Timestamp now);
  bool IsAccused(RelationId tview) const;
  bool AnyAccused() const;

  // The batch is committed.
  void Commit();

  bool IsBehind(RelationId tview) const;
  // True if sessions may wait for some that are behind, or that wait to be adopted.
  bool AnyBehind() const;
  // Milliseconds until one that is behind should be tried; 0: now, and again soon; -1: never.
  long TryDueMs(Timestamp now) const;
  // The same, until a batch should look again: soon, while any wait to be adopted.
  long LookDueMs(Timestamp now) const { return unadopted_.empty() ? TryDueMs(now) : 0; }
  // Those that sessions wait for, and how many are behind that they do not wait for.
  std::set<RelationId> WaitedFor() const;
  std::size_t GivenUp() const;

  // TVIEWs in quarantine as a whole.
  bool AnyDormant() const;
  bool IsToRetry(RelationId tview, Timestamp now) const;
  bool AnyToRetry(Timestamp now) const;
  bool has_quarantine() const { return has_quarantine_; }

 private:
  enum class Cause : std::uint8_t {
    kLock,      // somebody else's: sessions wait for the TVIEW
    kPassing,   // its own, perhaps, and it passes or ends in quarantine soon: they wait
    kShortage,  // the same, later
    kFault,     // its own, maybe for ever: nobody waits
  };
  // Why it is not tried before a time.
  struct Hold {
    Cause cause = Cause::kLock;
    BackOff pause;
    std::string reason = {};
    bool is_told = false;  // by pg_tview_behind
    bool is_accused = false;
    int times_gave_way = 0;
    int times_lacked_lock = 0;
    int failures = 0;  // that may pass
  };
  struct Standing {
    bool is_behind = false;      // by pg_tview_behind
    bool is_left_aside = false;  // by this batch, and behind
    Timestamp retry_at = 0;      // behind for a fault, its own or that of one it reads
    std::optional<Hold> hold;
    std::optional<BackOff> quarantine;  // as a whole
    int failures = 0;                   // that may pass, since a batch succeeded
    Timestamp spent = 0;                // on those
    bool is_distrusted = false;
  };
  const Standing& Of(RelationId tview) const;
  // True if sessions do not wait for it.
  static bool IsGivenUp(const Hold& hold);
  Hold& HoldBack(RelationId tview, Cause cause, Timestamp at_least, Timestamp now);
  void Remember(const TviewDefinition& tview, const Behind& behind, Timestamp now);
  void GiveWay(RelationId tview, Timestamp now);
  void LackLock(RelationId tview, Timestamp now);
  std::string Endure(RelationId tview, Cause cause, const Failure& failure, Timestamp now);
  static const BackOff& PausesFor(Cause cause);
  Timestamp RetryAt(const TviewDefinition& tview) const;

  std::map<RelationId, Standing> standings_;  // of those that do not simply follow
  std::set<RelationId> unadopted_;
  bool has_quarantine_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_STANDINGS_H_
