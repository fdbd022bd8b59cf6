#include "backend/functions/pausing.h"

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "backend/ddl/audit_log.h"
#include "backend/functions/function_values.h"
#include "backend/reading/slot_wait.h"
#include "backend/reading/waiting.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <storage/condition_variable.h>

PG_FUNCTION_INFO_V1(tviews_pause);
PG_FUNCTION_INFO_V1(tviews_resume);
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using pg::DatabaseSlot;

// A batch that fails signals nobody.
constexpr long kRecheckMs = 100;

absl::Status CheckMayPause() {
  TVIEWS_RETURN_IF_ERROR(pg::CheckMayWait());
  if (!RecoveryInProgress()) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "a standby has no applier to pause"});
}

// Sets the flag and returns what it was before; false if the slot has been freed meanwhile.
bool SetPaused(DatabaseSlot* slot, std::uint32_t paused, std::uint32_t* before) {
  pg::ExclusiveHolder holder(slot->queue_lock);
  if (slot->database.Load() != MyDatabaseId) return false;
  *before = slot->paused.Exchange(paused);
  return true;
}

bool IsApplying(const DatabaseSlot& slot) {
  return slot.activity.state.Load() == static_cast<std::int32_t>(pg::ApplierState::kApplying);
}

absl::Status IsStillApplying(const DatabaseSlot& slot) {
  return pg::MakeError(
      absl::StatusCode::kDeadlineExceeded,
      {.message = "timed out while waiting for the end of the batch that is under way",
       .detail = "This call has paused nothing.",
       .hint =
           absl::StrCat("pg_tviews_progress shows what it refreshes; pg_cancel_backend(",
                        slot.applier_pid.Load(), ") gives that up, and leaves the TVIEW behind."),
       .sqlstate = "57014"});
}

absl::Status AwaitEndOfBatch(DatabaseSlot* slot, const Deadline& deadline,
                             absl::FunctionRef<bool()> is_paused) {
  bool is_applying = true;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    auto* const progress = reinterpret_cast<ConditionVariable*>(slot->progress);
    ConditionVariablePrepareToSleep(progress);
    while ((is_applying = is_paused() && IsApplying(*slot)) && !deadline.has_passed()) {
      ConditionVariableTimedSleep(progress, deadline.NapMs(kRecheckMs),
                                  pg::WaitEvent(pg::Wait::kEndOfBatch));
    }
    ConditionVariableCancelSleep();
  }));
  return is_applying ? IsStillApplying(*slot) : absl::OkStatus();
}

// Of the lane of `slot`; of all of them where it is the main one and none was named.
absl::Status AwaitEndOfBatches(DatabaseSlot* slot, bool is_for_all) {
  const Deadline deadline(ReadTimeout());
  const auto is_paused = [slot] { return slot->paused.Load() != 0; };
  std::vector<DatabaseSlot*> slots = {slot};
  if (is_for_all) {
    slots.clear();
    pg::ForEachSlotOf(MyDatabaseId, [&slots](DatabaseSlot* each) { slots.push_back(each); });
  }
  for (DatabaseSlot* const each : slots) {
    TVIEWS_RETURN_IF_ERROR(AwaitEndOfBatch(each, deadline, is_paused));
  }
  return absl::OkStatus();
}

void WakeAll(DatabaseSlot* slot, bool is_for_all) {
  if (!is_for_all) return pg::WakeApplierOf(slot);
  pg::ForEachSlotOf(MyDatabaseId, [](DatabaseSlot* each) { pg::WakeApplierOf(each); });
}

}  // namespace

absl::StatusOr<bool> PauseApplying(const std::optional<std::string>& lane) {
  TVIEWS_RETURN_IF_ERROR(CheckMayPause());
  TVIEWS_RETURN_IF_ERROR(CheckLaneExists(lane));
  TVIEWS_RETURN_IF_ERROR(RecordAction("PAUSE", "", {{"lane", lane.value_or("")}}));
  DatabaseSlot* slot = nullptr;
  std::uint32_t before = 0;
  do {
    slot = pg::ClaimLaneSlot(MyDatabaseId, lane.value_or(kMainLane));
    if (slot == nullptr) {
      return pg::MakeError(absl::StatusCode::kResourceExhausted,
                           {.message = "every slot serves another database",
                            .hint = "Raise pg_tviews.max_databases."});
    }
  } while (!SetPaused(slot, 1, &before));
  const absl::Status ended = AwaitEndOfBatches(slot, !lane.has_value());
  if (!ended.ok() && before == 0) {
    // A call that fails changes nothing.
    if (SetPaused(slot, 0, &before)) WakeAll(slot, !lane.has_value());
  }
  TVIEWS_RETURN_IF_ERROR(ended);
  return before == 0;
}

absl::StatusOr<bool> ResumeApplying(const std::optional<std::string>& lane) {
  TVIEWS_RETURN_IF_ERROR(CheckMayPause());
  TVIEWS_RETURN_IF_ERROR(RecordAction("RESUME", "", {{"lane", lane.value_or("")}}));
  DatabaseSlot* const slot = pg::FindLaneSlot(MyDatabaseId, lane.value_or(kMainLane));
  std::uint32_t before = 0;
  // One that its last TVIEW has left can be paused still.
  if (slot == nullptr) TVIEWS_RETURN_IF_ERROR(CheckLaneExists(lane));
  if (slot == nullptr || !SetPaused(slot, 0, &before)) return false;
  WakeAll(slot, !lane.has_value());
  return before != 0;
}

void WarnIfPaused(const DatabaseSlot& slot) {
  if (!IsPaused(slot)) return;
  if (pg::IsOfLane(&slot) && slot.paused.Load() != 0) {
    ereport(WARNING, (errmsg("lane \"%s\" is paused", slot.lane),
                      errdetail("This session waits until it goes on."),
                      errhint("Call pg_tviews_resume('%s') in another session.", slot.lane)));
    return;
  }
  ereport(WARNING, (errmsg("the applier of this database is paused"),
                    errdetail("This session waits until it goes on."),
                    errhint("Call pg_tviews_resume() in another session.")));
}

}  // namespace tviews::backend

namespace {

// NULL for a lane is no word about all of them.
absl::Status CheckLaneArgument(FunctionCallInfo fcinfo) {
  return PG_NARGS() == 0 ? absl::OkStatus() : tviews::backend::CheckArgument(fcinfo, 0);
}

}  // namespace

TVIEWS_EXPORT Datum tviews_pause(PG_FUNCTION_ARGS) {
  return tviews::pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(CheckLaneArgument(fcinfo));
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> lane,
                            tviews::backend::LaneArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const bool is_new, tviews::backend::PauseApplying(lane));
    return BoolGetDatum(is_new);
  });
}

TVIEWS_EXPORT Datum tviews_resume(PG_FUNCTION_ARGS) {
  return tviews::pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(CheckLaneArgument(fcinfo));
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> lane,
                            tviews::backend::LaneArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const bool was_paused, tviews::backend::ResumeApplying(lane));
    return BoolGetDatum(was_paused);
  });
}
