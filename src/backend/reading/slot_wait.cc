#include "backend/reading/slot_wait.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "backend/functions/pausing.h"
#include "backend/reading/reader_wait.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <storage/condition_variable.h>
#include <storage/latch.h>
#include <storage/lock.h>
#include <storage/proc.h>
#include <utils/acl.h>
#include <utils/array.h>
#include <utils/fmgrprotos.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using pg::DatabaseSlot;

constexpr long kSlotRecheckMs = 100;

ConditionVariable* ProgressOf(DatabaseSlot* slot) {
  return reinterpret_cast<ConditionVariable*>(slot->progress);
}

// Appends to `pids` those that `pid` waits for, held locks and queued requests alike.
void AppendBlockers(List** pids, int pid) {
  ArrayType* const blockers =
      DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid)));
  Datum* values = nullptr;
  int count = 0;
  deconstruct_array(blockers, INT4OID, sizeof(int32), true, TYPALIGN_INT, &values, nullptr, &count);
  for (int i = 0; i < count; ++i) {
    *pids = list_append_unique_int(*pids, DatumGetInt32(values[i]));
  }
}

// Follows from the processes in `pids` whom they wait for, until it meets this one. 0 stands for a
// prepared transaction, which waits for nobody.
bool LeadsHere(List** pids) {
  for (int i = 0; i < list_length(*pids); ++i) {
    const int next = list_nth_int(*pids, i);
    if (next == MyProcPid) return true;
    if (next != 0) AppendBlockers(pids, next);
  }
  return false;
}

bool Conflicts(const LockInstanceData& lock, int mode) {
  if (lock.waitLockMode != NoLock && DoLockModesConflict(lock.waitLockMode, mode)) return true;
  for (int held = AccessShareLock; held <= AccessExclusiveLock; ++held) {
    if ((lock.holdMask & LOCKBIT_ON(held)) != 0 && DoLockModesConflict(held, mode)) return true;
  }
  return false;
}

// True if the applier cannot have `busy` for a lock of this session, or for one that is queued
// behind a lock of this session.
bool HoldsUp(const pg::BusyLock& busy, const LockData* locks) {
  List* pids = NIL;
  for (int i = 0; i < locks->nelements; ++i) {
    const LockInstanceData& lock = locks->locks[i];
    if (lock.locktag.locktag_type != LOCKTAG_RELATION ||
        lock.locktag.locktag_field1 != MyDatabaseId ||
        lock.locktag.locktag_field2 != busy.relation || !Conflicts(lock, busy.mode)) {
      continue;
    }
    pids = list_append_unique_int(pids, lock.leaderPid);
  }
  return LeadsHere(&pids);
}

int CopyBusyLocks(DatabaseSlot* slot, pg::BusyLock* busy) {
  pg::ReadHolder holder(slot->frontier_lock);
  for (int i = 0; i < slot->busy_count; ++i) busy[i] = slot->busy[i];
  return slot->busy_count;
}

// True if the applier waits, directly or through others, for a lock of this session, or leaves a
// TVIEW aside for it.
bool IsInTheWay(DatabaseSlot* slot, bool is_behind) {
  const int applier = slot->applier.Load();
  const int pid = slot->applier_pid.Load();
  // A hint, read without a lock: it spares those who wait for a working applier the search.
  const bool waits = applier >= 0 && pid != 0 && ProcGlobal->allProcs[applier].waitLock != nullptr;
  if (!waits && !is_behind) return false;
  MemoryContext const context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_tviews blockers", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const caller = MemoryContextSwitchTo(context);
  List* pids = waits ? list_make1_int(pid) : NIL;
  bool found = LeadsHere(&pids);
  pg::BusyLock busy[pg::kBusyPlaces];
  const int count = is_behind ? CopyBusyLocks(slot, busy) : 0;
  const LockData* const locks = count > 0 && !found ? GetLockStatusData() : nullptr;
  for (int i = 0; i < count && !found; ++i) found = HoldsUp(busy[i], locks);
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);
  return found;
}

absl::Status WouldWaitForItself(const DatabaseSlot& slot) {
  return pg::MakeError(
      absl::StatusCode::kAborted,
      {.message = "deadlock: the applier waits for a lock of this transaction",
       .detail = absl::StrCat("Process ", slot.applier_pid.Load(),
                              " applies changes of source tables. It needs a lock that this "
                              "transaction holds, or for which others queue behind it."),
       .hint = "End the transaction before waiting, or read with pg_tviews.read_consistency = "
               "eventual.",
       .sqlstate = "40P01"});
}

}  // namespace

Deadline::Deadline(Timeout timeout) {
  if (timeout.has_value()) at_ = GetCurrentTimestamp() + *timeout;
}

bool Deadline::has_passed() const { return at_.has_value() && GetCurrentTimestamp() >= *at_; }

long Deadline::NapMs(long longest) const {
  if (!at_.has_value()) return longest;
  const std::int64_t left = (*at_ - GetCurrentTimestamp()) / 1000 + 1;
  return static_cast<long>(std::clamp<std::int64_t>(left, 1, longest));
}

bool IsPaused(const DatabaseSlot& slot) {
  if (slot.paused.Load() != 0) return true;
  const DatabaseSlot* const main =
      pg::IsOfLane(&slot) ? pg::FindSlot(slot.database.Load()) : nullptr;
  return main != nullptr && main->paused.Load() != 0;
}

Standstill StandstillOf(const DatabaseSlot& slot) {
  if (IsPaused(slot)) return Standstill::kPaused;
  if (!pg::settings::enabled && slot.applier.Load() < 0) return Standstill::kDisabled;
  return Standstill::kNone;
}

absl::StatusOr<DatabaseSlot*> SlotHere(const Deadline& deadline, const std::string& lane) {
  for (;;) {
    DatabaseSlot* const slot = pg::ClaimLaneSlot(MyDatabaseId, lane);
    if (slot != nullptr) return slot;
    if (deadline.has_passed()) return nullptr;
    if (lane == kMainLane || pg::Slots()->lane_count > 0) pg::AskForRoom();
    pg::VisitEveryDatabase();
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                deadline.NapMs(kSlotRecheckMs), pg::WaitEvent(pg::Wait::kFrontier));
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }));
  }
}

absl::Status CheckApplierCanServe() {
  TVIEWS_RETURN_IF_ERROR(pg::CheckMayWait());
  if (!RecoveryInProgress()) return pg::CheckVersion();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "a standby cannot ask the applier",
                        .hint = "Wait for a transaction with pg_tviews_wait_for(xid8)."});
}

namespace {

bool MayRead(RelationId tview) {
  bool is_missing = false;
  if (pg_class_aclcheck_ext(tview, GetUserId(), ACL_SELECT, &is_missing) == ACLCHECK_OK)
    return true;
  // From 16 on the question about columns of what has been dropped is an error.
  return !is_missing &&
         pg_attribute_aclcheck_all(tview, GetUserId(), ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
}

// Whoever may not read a TVIEW does not wait for it: its owner can hold a lock on it for long.
bool MayReadAny(DatabaseSlot* slot) {
  RelationId behind[pg::kBehindPlaces];
  int count = 0;
  {
    pg::ReadHolder holder(slot->frontier_lock);
    count = std::min(slot->behind_count.Load(), pg::kBehindPlaces);
    std::copy_n(slot->behind, count, behind);
  }
  return std::any_of(behind, behind + count, MayRead);
}

}  // namespace

bool IsBehind(DatabaseSlot* slot, const Concerned& concerned) {
  const int count = slot->behind_count.Load();
  if (count == 0) return false;
  if (count > pg::kBehindPlaces) return true;
  if (concerned.all) return MayReadAny(slot);
  pg::ReadHolder holder(slot->frontier_lock);
  const RelationId* const end = slot->behind + std::min(count, pg::kBehindPlaces);
  const RelationId* const begin = slot->behind;
  return std::any_of(concerned.tviews.begin(), concerned.tviews.end(),
                     [&](RelationId tview) { return std::find(begin, end, tview) != end; });
}

absl::StatusOr<std::vector<std::string>> LanesOf(const Concerned& concerned) {
  if (concerned.lane.has_value()) return std::vector<std::string>{*concerned.lane};
  TVIEWS_ASSIGN_OR_RETURN(std::vector<std::string> others, pg::OtherLanes());
  if (concerned.all || others.empty()) {
    others.insert(others.begin(), kMainLane);
    return others;
  }
  bool has_main = false;
  std::set<std::string> lanes;
  for (const RelationId tview : concerned.tviews) {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
    // The main lane's applier adopts TVIEWs of every lane.
    const bool is_main = !state.has_value() || state->lane == std::string_view(kMainLane);
    has_main = has_main || is_main || !state->is_adopted;
    if (!is_main) lanes.insert(state->lane);
  }
  std::vector<std::string> result;
  if (has_main || lanes.empty()) result.emplace_back(kMainLane);
  result.insert(result.end(), lanes.begin(), lanes.end());
  return result;
}

absl::StatusOr<bool> AreAllLanes(const Concerned& concerned) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> others, pg::OtherLanes());
  if (others.empty()) return true;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lanes, LanesOf(concerned));
  return lanes.size() == others.size() + 1;
}

std::uint64_t TakeTicket(DatabaseSlot* slot) {
  pg::ExclusiveHolder holder(slot->queue_lock);
  return slot->database.Load() == MyDatabaseId ? slot->counters.requested.Add(1) : 0;
}

absl::StatusOr<bool> SleepUntil(DatabaseSlot* slot, std::uint32_t generation, const SleepPlan& plan,
                                absl::FunctionRef<bool()> is_done) {
  bool done = false;
  bool has_warned = false;
  bool is_deadlock = false;
  Timestamp look_at = GetCurrentTimestamp() + Timestamp{plan.recheck_ms} * 1000;
  const auto is_ours = [&] {
    return slot->generation.Load() == generation && slot->database.Load() == MyDatabaseId;
  };
  ReaderWait wait(slot);
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    ConditionVariablePrepareToSleep(ProgressOf(slot));
    for (;;) {
      done = is_done() && is_ours();
      if (done || plan.deadline.has_passed() || !is_ours()) break;
      if (StandstillOf(*slot) != Standstill::kNone && plan.leave_at_standstill) break;
      wait.Begin(plan.concerned);
      // Else the two would wake each other: while TVIEWs are behind, it looks by itself.
      const bool is_behind = IsBehind(slot, plan.concerned);
      if (!is_behind) pg::WakeApplierOf(slot);
      if (!has_warned && IsPaused(*slot)) {
        WarnIfPaused(*slot);
        has_warned = true;
      }
      const bool timed_out =
          ConditionVariableTimedSleep(ProgressOf(slot), plan.deadline.NapMs(plan.recheck_ms),
                                      pg::WaitEvent(pg::Wait::kFrontier));
      // Batches for others end in between, perhaps one after the other.
      if (!timed_out && GetCurrentTimestamp() < look_at) continue;
      look_at = GetCurrentTimestamp() + Timestamp{plan.recheck_ms} * 1000;
      wait.Show();
      is_deadlock = IsInTheWay(slot, is_behind);
      if (is_deadlock) break;
    }
    ConditionVariableCancelSleep();
  }));
  if (is_deadlock) return WouldWaitForItself(*slot);
  return done;
}

}  // namespace tviews::backend
