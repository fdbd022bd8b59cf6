#include "backend/reading/standby_wait.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/reading/reader_snapshot.h"
#include "backend/tview/names.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/common/awaiting_adoption.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/tables/frontier.h"
#include "shared/pg/tables/lane_owed.h"
#include "shared/pg/tables/outbox.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <access/xlogrecovery.h>
#include <executor/execdesc.h>
#include <miscadmin.h>
#include <nodes/execnodes.h>
#include <nodes/plannodes.h>
#include <nodes/primnodes.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <storage/proc.h>
#include <tcop/pquery.h>
#include <utils/portal.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr long kRecheckMs = 20;
constexpr Timestamp kRest = 10;  // times as long as a look took
constexpr Timestamp kLongestPause = 1000000;

// In the main lane it has, if `is_in_main`: what it has for another was handed over in the same
// batch.
absl::StatusOr<bool> HasArrivedIn(const std::string& lane, FullXid xid, bool is_in_main,
                                  SnapshotData* snapshot) {
  if (lane == kMainLane) return is_in_main;
  TVIEWS_ASSIGN_OR_RETURN(const SnapshotBounds frontier, pg::ReadFrontier(snapshot, lane));
  if (frontier.Includes(xid) || !is_in_main) return frontier.Includes(xid);
  TVIEWS_ASSIGN_OR_RETURN(const bool is_owed, pg::LaneIsOwed(snapshot, lane));
  return !is_owed;
}

// Left aside for a lock on the primary.
absl::StatusOr<bool> AnyBehindIn(const std::vector<std::string>& lanes, SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string behind, ExtensionObject("pg_tview_behind"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult any,
      pg::ExecuteSqlUnder(
          snapshot,
          absl::StrCat("SELECT FROM ", behind, " AS b LEFT JOIN ", meta,
                       " AS m ON m.tview = b.tview WHERE b.retry_at IS NULL AND"
                       " coalesce(m.options ->> 'lane', 'main') = ANY ($1::text[])"),
          {absl::StrCat("{", absl::StrJoin(lanes, ","), "}")}));
  return any.processed > 0;
}

// REQUIRES: `snapshot` is registered.
absl::StatusOr<bool> HasArrived(FullXid xid, const std::optional<std::string>& lane,
                                SnapshotData* snapshot) {
  // Not yet known here: the primary is ahead.
  if (xid >= U64FromFullTransactionId(ReadNextFullTransactionId())) return false;
  bool forgotten = false;
  TVIEWS_ASSIGN_OR_RETURN(const Outcome outcome, pg::OutcomeUnder(snapshot, xid, &forgotten));
  if (outcome == Outcome::kInProgress) return false;
  if (outcome == Outcome::kAborted && !forgotten) return true;
  TVIEWS_ASSIGN_OR_RETURN(const SnapshotBounds frontier, pg::ReadFrontier(snapshot, kMainLane));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lanes,
                          LanesOf({.tviews = {}, .all = true, .lane = lane}));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_behind, AnyBehindIn(lanes, snapshot));
  if (is_behind) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::Unfollowing> unadopted,
                          pg::WaitingForAdoption(snapshot));
  if (!unadopted.empty()) return false;
  bool is_in_main = frontier.Includes(xid);
  if (!is_in_main) {
    TVIEWS_ASSIGN_OR_RETURN(const bool waits, pg::Outbox::HasRowOf(snapshot, xid));
    is_in_main = !waits;
  }
  for (const std::string& each : lanes) {
    TVIEWS_ASSIGN_OR_RETURN(const bool has_arrived, HasArrivedIn(each, xid, is_in_main, snapshot));
    if (!has_arrived) return false;
  }
  return true;
}

absl::Status TimedOutHere() {
  return pg::MakeError(
      absl::StatusCode::kDeadlineExceeded,
      {.message = "timed out while waiting for the TVIEWs of this standby to catch up",
       .hint = "See pg_stat_replication on the primary for how far the standby is behind, and "
               "pg_tviews_lag there for the TVIEWs.",
       .sqlstate = "57014"});
}

// True if the session's statement is `SELECT function(...)` and nothing else, outside cursors and
// older snapshots: then nobody reads under its snapshot once the function has been called.
// To be called within pg::Call.
bool IsOnlyCall(Oid function) {
  if (IsolationUsesXactSnapshot()) return false;
  Portal const portal = ActivePortal;
  if (portal == nullptr || portal->strategy != PORTAL_ONE_SELECT) return false;
  if (portal->queryDesc == nullptr || portal->portalSnapshot != nullptr) return false;
  if (portal->queryDesc->snapshot != RunningSnapshot()) return false;
  const Plan* const plan = portal->queryDesc->plannedstmt->planTree;
  if (!IsA(plan, Result) || plan->lefttree != nullptr || list_length(plan->targetlist) != 1) {
    return false;
  }
  const auto* entry = static_cast<const TargetEntry*>(linitial(plan->targetlist));
  if (!IsA(entry->expr, FuncExpr)) return false;
  if (reinterpret_cast<const FuncExpr*>(entry->expr)->funcid != function) return false;
  InvalidateCatalogSnapshot();
  return ThereAreNoPriorRegisteredSnapshots();
}

// While the session sleeps, rows that only its statement's snapshot could see may go: replay waits
// for whoever needs them, and the session for replay. So the statement gives its snapshot back, and
// goes on with a new one. To be called within pg::Call.
void GiveSnapshotBack(QueryDesc* query) {
  UnregisterSnapshot(query->snapshot);
  UnregisterSnapshot(query->estate->es_snapshot);
  query->snapshot = query->estate->es_snapshot = InvalidSnapshot;
  PopActiveSnapshot();
}

void TakeNewSnapshot(QueryDesc* query) {
  PushActiveSnapshot(GetLatestSnapshot());
  query->snapshot = RegisterSnapshot(GetActiveSnapshot());
  query->estate->es_snapshot = RegisterSnapshot(GetActiveSnapshot());
}

// Sleeps until something has been replayed since `replayed`; false after the deadline. What is
// replayed may be anything: the pauses between two looks are long where a look is.
absl::StatusOr<bool> AwaitReplay(XLogRecPtr replayed, Timestamp look_cost,
                                 const Deadline& deadline) {
  const Timestamp look_at = GetCurrentTimestamp() + std::min(look_cost * kRest, kLongestPause);
  while (!deadline.has_passed()) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      InvalidateCatalogSnapshot();  // of the look: it would hold rows as well
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                deadline.NapMs(kRecheckMs), pg::WaitEvent(pg::Wait::kFrontier));
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }));
    const bool has_news = GetXLogReplayRecPtr(nullptr) != replayed || !RecoveryInProgress();
    if (has_news && GetCurrentTimestamp() >= look_at) return true;
  }
  return false;
}

absl::Status AwaitArrival(FullXid xid, const std::optional<std::string>& lane,
                          const Deadline& deadline) {
  for (;;) {
    // Before the look: what is replayed meanwhile is news.
    const XLogRecPtr replayed = GetXLogReplayRecPtr(nullptr);
    const Timestamp began = GetCurrentTimestamp();
    SnapshotData* snapshot = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { snapshot = RegisterSnapshot(GetLatestSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(const bool has_arrived, HasArrived(xid, lane, snapshot));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { UnregisterSnapshot(snapshot); }));
    if (has_arrived) return absl::OkStatus();
    TVIEWS_ASSIGN_OR_RETURN(const bool has_news,
                            AwaitReplay(replayed, GetCurrentTimestamp() - began, deadline));
    if (!has_news) return TimedOutHere();
  }
}

}  // namespace

absl::Status WaitOnStandby(FullXid xid, const std::optional<std::string>& lane, RelationId function,
                           const Deadline& deadline) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_only_call,
                          pg::CallFor([function] { return IsOnlyCall(function); }));
  if (!is_only_call) return AwaitArrival(xid, lane, deadline);
  QueryDesc* const query = ActivePortal->queryDesc;
  TVIEWS_RETURN_IF_ERROR(pg::Call([query] { GiveSnapshotBack(query); }));
  TVIEWS_RETURN_IF_ERROR(AwaitArrival(xid, lane, deadline));
  return pg::Call([query] { TakeNewSnapshot(query); });
}

}  // namespace tviews::backend
