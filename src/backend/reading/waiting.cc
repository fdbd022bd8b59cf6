#include "backend/reading/waiting.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "backend/reading/standby_wait.h"
#include "backend/tview/names.h"
#include "shared/lane.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/lag.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/pg/tables/catalog.h"
#include "shared/record_ring.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using pg::DatabaseSlot;

// How often a waiter looks again by itself: a worker may have died, a slot may have moved, the
// applier may have begun to wait for this session.
constexpr long kRecheckMs = 50;
constexpr long kTransactionRecheckMs = 20;  // whether a transaction is still in progress

bool FrontierIncludes(DatabaseSlot* slot, FullXid xid) {
  pg::ReadHolder holder(slot->frontier_lock);
  if (xid < slot->frontier_xmin) return true;
  if (xid >= slot->frontier_xmax) return false;
  return !std::binary_search(slot->frontier_in_progress,
                             slot->frontier_in_progress + slot->frontier_count, xid);
}

absl::Status CheckXid(FullXid xid) {
  if (xid < FirstNormalTransactionId) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = absl::StrCat("invalid transaction ID: ", xid)});
  }
  if (xid >= U64FromFullTransactionId(ReadNextFullTransactionId())) {
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = absl::StrCat("transaction ID ", xid, " is in the future"),
         .hint = "Pass the value that pg_current_xact_id() returned in the transaction."});
  }
  if (xid == U64FromFullTransactionId(GetTopFullTransactionIdIfAny())) {
    return pg::MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.message = "a transaction cannot wait for itself", .hint = "Commit it first."});
  }
  return absl::OkStatus();
}

// Whose frontier the last wait of this process was for.
std::string& LaneOfLastWait() {
  static NoDestructor<std::string> lane(kMainLane);
  return *lane;
}

Waited Done(const DatabaseSlot& slot) {
  return slot.behind_count.Load() == 0 ? Waited::kDone : Waited::kDoneForThese;
}

// Nothing that a batch could take: what had committed before is applied, and its batch committed,
// and no clock has moved on since.
bool IsIdle(DatabaseSlot* slot) {
  const Timestamp due = slot->clock_due.Load();
  if (due != 0 && GetCurrentTimestamp() >= due) return false;
  pg::ReadHolder holder(slot->queue_lock);
  return slot->database.Load() == MyDatabaseId && pg::QueueOf(slot).IsIdle();
}

Waited HowItEnded(const DatabaseSlot& slot) {
  switch (StandstillOf(slot)) {
    case Standstill::kPaused:
      return Waited::kPaused;
    case Standstill::kDisabled:
      return Waited::kDisabled;
    case Standstill::kNone:
      break;
  }
  return Waited::kTimedOut;
}

// For one lane.
struct Wait {
  Concerned concerned;
  std::string lane;
  Deadline deadline;
  bool leave_at_standstill = false;
  bool is_announced = false;  // the commit that is waited for has woken the applier
};

// Nothing is on its way to a lane of which the main one could know, and `xid` is no news any more:
// so the lane's TVIEWs contain it, though its own frontier is older.
bool IsNoNewsFor(DatabaseSlot* lane, FullXid xid) {
  if (!pg::IsOfLane(lane)) return false;
  DatabaseSlot* const main = pg::FindSlot(MyDatabaseId);
  if (main == nullptr || !FrontierIncludes(main, xid) || main->database.Load() != MyDatabaseId) {
    return false;
  }
  pg::ReadHolder holder(lane->queue_lock);
  return lane->database.Load() == MyDatabaseId && pg::QueueOf(lane).IsIdle();
}

absl::StatusOr<Waited> TicketServed(const Wait& wait) {
  LaneOfLastWait() = wait.lane;
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(wait.deadline, wait.lane));
    if (slot == nullptr) return Waited::kTimedOut;
    const std::uint32_t generation = slot->generation.Load();
    const std::uint64_t ticket = TakeTicket(slot);
    if (ticket == 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool served,
                            SleepUntil(slot, generation,
                                       {.deadline = wait.deadline,
                                        .concerned = wait.concerned,
                                        .recheck_ms = kRecheckMs,
                                        .leave_at_standstill = wait.leave_at_standstill},
                                       [&] {
                                         return slot->counters.served.Load() >= ticket &&
                                                !IsBehind(slot, wait.concerned);
                                       }));
    if (served) return Done(*slot);
    if (wait.deadline.has_passed()) return Waited::kTimedOut;
    if (wait.leave_at_standstill && StandstillOf(*slot) != Standstill::kNone)
      return HowItEnded(*slot);
  }
}

// A transaction without a record, or one that aborts, wakes nobody when it ends. So this looks
// whether it has ended, and only then asks for a batch, whose frontier then includes it. For one
// whose commit has woken the applier, asking would only cost a batch: it waits a little before.
absl::StatusOr<Waited> Included(FullXid xid, const Wait& wait) {
  LaneOfLastWait() = wait.lane;
  int looks = wait.is_announced ? 0 : 1;
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(wait.deadline, wait.lane));
    if (slot == nullptr) return Waited::kTimedOut;
    const std::uint32_t generation = slot->generation.Load();
    bool has_ticket = false;
    const auto is_included = [&] {
      if (FrontierIncludes(slot, xid) || IsNoNewsFor(slot, xid)) {
        return !IsBehind(slot, wait.concerned);
      }
      if (looks++ > 0 && !has_ticket && !pg::IsInProgress(xid)) has_ticket = TakeTicket(slot) != 0;
      return false;
    };
    TVIEWS_ASSIGN_OR_RETURN(const bool included,
                            SleepUntil(slot, generation,
                                       {.deadline = wait.deadline,
                                        .concerned = wait.concerned,
                                        .recheck_ms = kTransactionRecheckMs,
                                        .leave_at_standstill = wait.leave_at_standstill},
                                       is_included));
    if (included) return Done(*slot);
    if (wait.deadline.has_passed()) return Waited::kTimedOut;
    if (wait.leave_at_standstill && StandstillOf(*slot) != Standstill::kNone)
      return HowItEnded(*slot);
  }
}

// Each lane of the TVIEWs, one after the other: `await` waits for one.
absl::StatusOr<Waited> ForEachLane(Wait wait,
                                   absl::FunctionRef<absl::StatusOr<Waited>(const Wait&)> await) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lanes, LanesOf(wait.concerned));
  Waited end = Waited::kDone;
  for (const std::string& lane : lanes) {
    wait.lane = lane;
    TVIEWS_ASSIGN_OR_RETURN(const Waited waited, await(wait));
    if (waited != Waited::kDone) end = waited;
    if (end != Waited::kDone && end != Waited::kDoneForThese) break;
  }
  return end;
}

absl::StatusOr<Waited> EveryTicketServed(const Wait& wait) {
  return ForEachLane(wait, [](const Wait& of_lane) { return TicketServed(of_lane); });
}

// A commit wakes the main lane's applier, and no other.
absl::StatusOr<Waited> IncludedEverywhere(FullXid xid, const Wait& wait) {
  return ForEachLane(wait, [xid](const Wait& of_lane) {
    Wait announced = of_lane;
    announced.is_announced = of_lane.is_announced && of_lane.lane == kMainLane;
    return Included(xid, announced);
  });
}

// A lane is idle where the main one has nothing that could be news for it.
absl::StatusOr<bool> NothingWaits(const Concerned& concerned) {
  DatabaseSlot* const main = pg::FindSlot(MyDatabaseId);
  if (main == nullptr || !IsIdle(main)) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lanes, LanesOf(concerned));
  for (const std::string& lane : lanes) {
    DatabaseSlot* const slot = pg::FindLaneSlot(MyDatabaseId, lane);
    if (slot == nullptr || !IsIdle(slot)) return false;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_behind,
                            pg::CallFor([&] { return IsBehind(slot, concerned); }));
    if (is_behind) return false;
  }
  return true;
}

Concerned AllOf(const std::optional<std::string>& lane) {
  return {.tviews = {}, .all = true, .lane = lane};
}

}  // namespace

absl::Status CheckLaneExists(const std::optional<std::string>& lane) {
  if (!lane.has_value() || *lane == kMainLane) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> others, pg::OtherLanes());
  if (absl::c_linear_search(others, *lane)) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kNotFound,
                       {.message = absl::StrCat("lane \"", *lane, "\" does not exist"),
                        .hint = "A lane exists while TVIEWs are in it: see pg_tviews_lanes.",
                        .sqlstate = "42704"});
}

Timeout ReadTimeout() {
  if (pg::settings::read_timeout == 0) return std::nullopt;
  return std::int64_t{pg::settings::read_timeout} * 1000;
}

namespace {

// What the batch is at; empty between TVIEWs.
absl::StatusOr<std::string> DescribeWork(const DatabaseSlot* slot) {
  if (slot == nullptr) return "";
  const pg::ApplierActivity& activity = slot->activity;
  const RelationId tview = activity.tview.Load();
  if (tview == 0) return "";
  const Timestamp since = activity.tview_started.Load();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
  TVIEWS_ASSIGN_OR_RETURN(const char* const since_text,
                          pg::CallFor([since] { return timestamptz_to_str(since); }));
  std::string text =
      absl::StrFormat("The batch is at TVIEW \"%s\" since %s, for %.3f s", name, since_text,
                      static_cast<double>(GetCurrentTimestamp() - since) / 1e6);
  if (activity.is_searching.Load() != 0) {
    absl::StrAppend(&text, ", looking for keys.");
  } else if (activity.is_full.Load() != 0) {
    absl::StrAppend(&text, ", comparing it as a whole.");
  } else {
    absl::StrAppend(&text, ", with ", activity.keys_done.Load(), " of ", activity.keys_total.Load(),
                    " keys done.");
  }
  return text;
}

// One that a TVIEW of this lane can be moved to.
const char* LaneToPropose(const DatabaseSlot& slot) {
  return std::string_view(slot.lane) == "slow" ? "slow_2" : "slow";
}

std::string HintForTimeout(const DatabaseSlot* slot, bool is_at_tview) {
  if (slot == nullptr && LaneOfLastWait() != kMainLane) {
    return absl::StrCat("No applier serves lane \"", LaneOfLastWait(), "\": there may be ",
                        pg::settings::max_lanes,
                        " in a database (pg_tviews.max_lanes). Put its TVIEWs into another, or "
                        "raise pg_tviews.max_lanes and restart.");
  }
  if (slot == nullptr) {
    return "No applier serves this database: every slot serves another. Raise "
           "pg_tviews.max_databases.";
  }
  if (pg::IsOfLane(slot) && slot->paused.Load() != 0) {
    return absl::StrCat("Lane \"", slot->lane,
                        "\" is paused, and no batch of it runs until "
                        "pg_tviews_resume('",
                        slot->lane, "').");
  }
  if (IsPaused(*slot)) {
    return "The applier of this database is paused, and no batch runs until pg_tviews_resume(), "
           "even where nothing is to be applied.";
  }
  if (slot->applier_pid.Load() == 0 && pg::IsOfLane(slot)) {
    return "No applier runs for this lane: each lane with work takes a background worker, and "
           "lanes and databases take turns where these are short. Raise pg_tviews.max_workers or "
           "max_worker_processes.";
  }
  if (slot->applier_pid.Load() == 0) {
    return "No applier runs in this database: pg_tviews_health_check() says whether background "
           "workers are short. Raise max_worker_processes or pg_tviews.max_workers.";
  }
  if (static_cast<pg::ApplierState>(slot->activity.state.Load()) == pg::ApplierState::kBackingOff) {
    return "Batches fail and are tried again: the server log says why. pg_tviews_health_check() "
           "says whether a session is in the way. To read TVIEWs as they stand, set "
           "pg_tviews.read_consistency to eventual.";
  }
  if (is_at_tview) {
    return absl::StrCat(
        "See pg_tviews_progress for how far it is, and pg_tviews_waits for which TVIEW holds up "
        "readers of others. ALTER TABLE ... SET (pg_tviews.lane = '",
        LaneToPropose(*slot),
        "') lets the others go on "
        "without it. One that takes longer than its pg_tviews.refresh_timeout is left "
        "behind, and the others go on. To read TVIEWs as they stand, set "
        "pg_tviews.read_consistency to eventual.");
  }
  return "See pg_tviews_workers for what the applier does, and pg_tviews_lag for how far it is "
         "behind.";
}

// What a lane is owed is in a table.
std::string DescribeWaiting(DatabaseSlot* slot) {
  const pg::Lag lag = pg::MeasureLag(slot);
  const bool is_owed = slot != nullptr && pg::IsOfLane(slot) && lag.records == 0;
  return is_owed ? absl::StrCat("Lane \"", slot->lane, "\" has not caught up.")
                 : pg::DescribeLag(lag);
}

// The TVIEW that was left aside first for a lock, and why; nothing if there is none.
absl::StatusOr<std::optional<std::pair<RelationId, std::string>>> FirstBehind() {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_behind"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSqlLatest("SELECT tview::oid, reason FROM " + table +
                           " WHERE retry_at IS NULL ORDER BY since, tview LIMIT 1"));
  if (result.rows.empty()) return std::nullopt;
  pg::RowReader column(result.rows[0]);
  std::pair<RelationId, std::string> behind;
  behind.first = column.Oid();
  behind.second = column.Text();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return behind;
}

absl::StatusOr<std::string> DescribeBehind(const DatabaseSlot* slot) {
  if (slot == nullptr || slot->behind_count.Load() == 0) return "";
  TVIEWS_ASSIGN_OR_RETURN(const auto behind, FirstBehind());
  if (!behind.has_value()) return "";
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(behind->first));
  return absl::StrCat("TVIEW \"", name, "\" is behind: ", behind->second, ".");
}

}  // namespace

absl::Status TimedOut(const std::string& waiting_for) {
  DatabaseSlot* const slot = pg::FindLaneSlot(MyDatabaseId, LaneOfLastWait());
  TVIEWS_ASSIGN_OR_RETURN(const std::string work, DescribeWork(slot));
  TVIEWS_ASSIGN_OR_RETURN(const std::string behind, DescribeBehind(slot));
  std::string detail = absl::StrCat(DescribeWaiting(slot), work.empty() ? "" : " ", work);
  if (!behind.empty()) absl::StrAppend(&detail, " ", behind);
  const bool is_locked = work.empty() && !behind.empty() && !IsPaused(*slot);
  return pg::MakeError(
      absl::StatusCode::kDeadlineExceeded,
      {.message = "timed out while waiting for " + waiting_for,
       .detail = detail,
       .hint = is_locked ? "Where a lock is in the way, pg_tviews_health_check() names the session "
                           "that holds it. pg_tview_behind lists what is behind."
                         : HintForTimeout(slot, !work.empty()),
       .sqlstate = "57014"});
}

std::optional<std::string> PausedLane() {
  const DatabaseSlot* const slot = pg::FindLaneSlot(MyDatabaseId, LaneOfLastWait());
  if (slot == nullptr || !pg::IsOfLane(slot) || slot->paused.Load() == 0) return std::nullopt;
  return LaneOfLastWait();
}

absl::StatusOr<std::vector<GivenUp>> GivenUpTviews() {
  std::vector<GivenUp> tviews;
  bool any = false;
  pg::ForEachSlotOf(MyDatabaseId,
                    [&any](DatabaseSlot* slot) { any = any || slot->given_up.Load() != 0; });
  if (!any) return tviews;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_behind"));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          pg::ExecuteSqlLatest("SELECT tview::oid, tview::text, reason FROM " +
                                               table + " WHERE retry_at IS NOT NULL ORDER BY 1"));
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    GivenUp& tview = tviews.emplace_back();
    tview.tview = column.Oid();
    tview.name = column.Text();
    tview.reason = column.Text();
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return tviews;
}

namespace {

absl::Status WarnOfGivenUp() {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<GivenUp> tviews, GivenUpTviews());
  for (const GivenUp& tview : tviews) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(WARNING, (errmsg("TVIEW \"%s\" is left behind", tview.name.c_str()),
                        errdetail("It stands as it was before: %s.", tview.reason.c_str()),
                        errhint("%s", kGivenUpHint)));
    }));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WaitForBatch(RelationId tview, Timeout timeout) {
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lanes,
                          LanesOf({.tviews = {tview}, .all = false}));
  // Where it waits to be adopted, for both.
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited,
                          TicketServed({.concerned = {.tviews = {}, .all = false},
                                        .lane = lanes.back(),
                                        .deadline = Deadline(timeout)}));
  return waited == Waited::kTimedOut ? TimedOut() : absl::OkStatus();
}

absl::Status WaitForEverything(const std::optional<std::string>& lane, Timeout timeout) {
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  TVIEWS_RETURN_IF_ERROR(CheckLaneExists(lane));
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, EveryTicketServed({.concerned = AllOf(lane),
                                                                  .lane = kMainLane,
                                                                  .deadline = Deadline(timeout)}));
  return waited == Waited::kTimedOut ? TimedOut() : WarnOfGivenUp();
}

absl::Status WaitForTransaction(FullXid xid, const std::optional<std::string>& lane,
                                RelationId function, Timeout timeout) {
  TVIEWS_RETURN_IF_ERROR(pg::CheckMayWait());
  TVIEWS_RETURN_IF_ERROR(CheckLaneExists(lane));
  if (RecoveryInProgress()) return WaitOnStandby(xid, lane, function, Deadline(timeout));
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  TVIEWS_RETURN_IF_ERROR(CheckXid(xid));
  TVIEWS_ASSIGN_OR_RETURN(
      const Waited waited,
      IncludedEverywhere(
          xid, {.concerned = AllOf(lane), .lane = kMainLane, .deadline = Deadline(timeout)}));
  return waited == Waited::kTimedOut ? TimedOut() : WarnOfGivenUp();
}

absl::StatusOr<Waited> AwaitCommitted(FullXid xid, const Concerned& concerned, Timeout timeout) {
  return IncludedEverywhere(xid, {.concerned = concerned,
                                  .lane = kMainLane,
                                  .deadline = Deadline(timeout),
                                  .leave_at_standstill = true,
                                  .is_announced = true});
}

absl::StatusOr<Waited> AwaitEverything(const Concerned& concerned, Timeout timeout) {
  TVIEWS_ASSIGN_OR_RETURN(const bool nothing_waits, NothingWaits(concerned));
  if (nothing_waits) return Waited::kDone;
  return EveryTicketServed({.concerned = concerned,
                            .lane = kMainLane,
                            .deadline = Deadline(timeout),
                            .leave_at_standstill = true});
}

}  // namespace tviews::backend
