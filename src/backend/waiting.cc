#include "backend/waiting.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "backend/pausing.h"
#include "shared/pg/database_slot.h"
#include "shared/pg/error.h"
#include "shared/pg/extension_version.h"
#include "shared/pg/guard.h"
#include "shared/pg/shmem.h"
#include "shared/pg/wait_events.h"
#include "shared/pg/worker_slots.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <storage/condition_variable.h>
#include <storage/ipc.h>
#include <storage/latch.h>
#include <storage/procarray.h>
#include <utils/timestamp.h>
#include "shared/pg/postgres_end.h"

namespace tviews::backend {
namespace {

using pg::DatabaseSlot;
using pg::RefreshRequest;

// How often a waiter looks again by itself: a worker may have died, a slot may have moved.
constexpr long kRecheckMs = 1000;
constexpr long kTransactionRecheckMs = 20;  // whether a transaction is still in progress

// Further back, 32 bits do not name a transaction.
constexpr FullXid kRecentTransactions = FullXid{1} << 31;

ConditionVariable* ProgressOf(DatabaseSlot* slot) {
  return reinterpret_cast<ConditionVariable*>(slot->progress);
}

class Deadline {
 public:
  explicit Deadline(Timeout timeout) {
    if (timeout.has_value()) at_ = GetCurrentTimestamp() + *timeout;
  }
  bool has_passed() const { return at_.has_value() && GetCurrentTimestamp() >= *at_; }
  long NapMs() const {
    if (!at_.has_value()) return kRecheckMs;
    const std::int64_t left = (*at_ - GetCurrentTimestamp()) / 1000 + 1;
    return static_cast<long>(std::clamp<std::int64_t>(left, 1, kRecheckMs));
  }

 private:
  std::optional<Timestamp> at_;
};

absl::Status TimedOut() {
  return pg::MakeError(
      absl::StatusCode::kDeadlineExceeded,
      {.message = "timed out while waiting for the TVIEWs of this database to catch up",
       .hint = "See pg_tviews_workers for what the applier does, and pg_tviews_queue_realtime for "
               "what waits.",
       .sqlstate = "57014"});
}

absl::Status CheckApplierCanServe() {
  if (!RecoveryInProgress()) return pg::CheckVersion();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "a standby cannot ask the applier",
                        .hint = "Wait for a transaction with pg_tviews_wait_for(xid8)."});
}

// The database's slot; while every slot serves another database, the launcher is told to look for
// one.
absl::StatusOr<DatabaseSlot*> SlotHere(const Deadline& deadline) {
  for (;;) {
    if (DatabaseSlot* slot = pg::ClaimSlot(MyDatabaseId); slot != nullptr) return slot;
    if (deadline.has_passed()) return TimedOut();
    pg::AskForRoom();
    pg::VisitEveryDatabase();
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                std::min(deadline.NapMs(), 100L), pg::WaitEvent(pg::Wait::kFrontier));
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }));
  }
}

// Sleeps on the slot's progress until `is_done`, which is asked again after every batch and every
// `recheck` milliseconds. The slot may be freed meanwhile: `generation` tells. An answer counts
// only if the slot still serves this database afterwards: another one's frontier knows our
// transactions too.
absl::StatusOr<bool> SleepUntil(DatabaseSlot* slot, std::uint32_t generation,
                                const Deadline& deadline, long recheck,
                                absl::FunctionRef<bool()> is_done) {
  bool done = false;
  bool has_warned = false;
  const auto is_ours = [&] {
    return slot->generation.Load() == generation && slot->database.Load() == MyDatabaseId;
  };
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    ConditionVariablePrepareToSleep(ProgressOf(slot));
    for (;;) {
      done = is_done() && is_ours();
      if (done || deadline.has_passed() || !is_ours()) break;
      pg::WakeApplierOf(slot);
      if (!has_warned && slot->paused.Load() != 0) {
        WarnIfPaused(*slot);
        has_warned = true;
      }
      ConditionVariableTimedSleep(ProgressOf(slot), std::min(recheck, deadline.NapMs()),
                                  pg::WaitEvent(pg::Wait::kFrontier));
    }
    ConditionVariableCancelSleep();
  }));
  return done;
}

// Raises the slot's `requested`; 0 if the slot has been freed.
std::uint64_t TakeTicket(DatabaseSlot* slot) {
  pg::ExclusiveHolder holder(slot->queue_lock);
  return slot->database.Load() == MyDatabaseId ? slot->requested.Add(1) : 0;
}

bool FrontierIncludes(DatabaseSlot* slot, FullXid xid) {
  pg::SharedHolder holder(slot->frontier_lock);
  if (xid < slot->frontier_xmin) return true;
  if (xid >= slot->frontier_xmax) return false;
  return !std::binary_search(slot->frontier_in_progress,
                             slot->frontier_in_progress + slot->frontier_count, xid);
}

absl::Status CheckXid(FullXid xid) {
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

// False for one that ended so long ago that its id has been used again: every frontier includes it.
bool IsInProgress(FullXid xid) {
  const FullXid next = U64FromFullTransactionId(ReadNextFullTransactionId());
  return next - xid < kRecentTransactions &&
         TransactionIdIsInProgress(XidFromFullTransactionId(FullTransactionIdFromU64(xid)));
}

// Where this session's refresh request stands; released when the session stops waiting.
struct RequestPlace {
  DatabaseSlot* slot;
  std::uint32_t generation;
  int index;
};
RequestPlace my_request = {nullptr, 0, 0};

void AbandonRequest() {
  if (my_request.slot == nullptr) return;
  pg::ExclusiveHolder holder(my_request.slot->queue_lock);
  RefreshRequest& request = my_request.slot->requests[my_request.index];
  if (my_request.slot->generation.Load() == my_request.generation) {
    request.state = request.state == RefreshRequest::kTaken ? RefreshRequest::kAbandoned
                                                            : RefreshRequest::kFree;
  }
  my_request.slot = nullptr;
}

void AbandonAtExit(int, Datum) { AbandonRequest(); }

// Puts the request into a free place; false if there is none or the slot has been freed.
bool PlaceRequest(DatabaseSlot* slot, RelationId tview) {
  pg::ExclusiveHolder holder(slot->queue_lock);
  if (slot->database.Load() != MyDatabaseId) return false;
  for (int i = 0; i < pg::kRefreshRequests; ++i) {
    if (slot->requests[i].state != RefreshRequest::kFree) continue;
    slot->requests[i] = RefreshRequest{};
    slot->requests[i].state = RefreshRequest::kWaiting;
    slot->requests[i].tview = tview;
    my_request = {slot, slot->generation.Load(), i};
    return true;
  }
  return false;
}

bool IsAnswered() {
  pg::SharedHolder holder(my_request.slot->queue_lock);
  const std::uint32_t state = my_request.slot->requests[my_request.index].state;
  return state == RefreshRequest::kDone || state == RefreshRequest::kFailed;
}

absl::StatusOr<RefreshOutcome> TakeAnswer() {
  RefreshRequest answer;
  {
    pg::SharedHolder holder(my_request.slot->queue_lock);
    answer = my_request.slot->requests[my_request.index];
  }
  if (answer.state == RefreshRequest::kFailed) {
    return pg::MakeError(absl::StatusCode::kAborted,
                         {.message = answer.error, .sqlstate = answer.sqlstate});
  }
  return RefreshOutcome{answer.inserted, answer.updated, answer.deleted};
}

absl::Status WaitForTicket(Timeout timeout, bool including_behind) {
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  const Deadline deadline(timeout);
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(deadline));
    const std::uint32_t generation = slot->generation.Load();
    const std::uint64_t ticket = TakeTicket(slot);
    if (ticket == 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool served,
                            SleepUntil(slot, generation, deadline, kRecheckMs, [&] {
                              return slot->served.Load() >= ticket &&
                                     (!including_behind || slot->behind_count.Load() == 0);
                            }));
    if (served) return absl::OkStatus();
    if (deadline.has_passed()) return TimedOut();
  }
}

absl::StatusOr<RefreshOutcome> PlaceAndAwait(RelationId tview) {
  const Deadline forever{Timeout()};
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(forever));
    const std::uint32_t generation = slot->generation.Load();
    if (!PlaceRequest(slot, tview)) {
      // All places are taken: the next batch frees some.
      TVIEWS_RETURN_IF_ERROR(WaitForTicket(Timeout(), false));
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const bool answered, SleepUntil(slot, generation, forever, kRecheckMs,
                                                            [] { return IsAnswered(); }));
    if (answered) return TakeAnswer();
    AbandonRequest();
  }
}

}  // namespace

absl::Status WaitForBatch(Timeout timeout) { return WaitForTicket(timeout, false); }

absl::Status WaitForEverything(Timeout timeout) { return WaitForTicket(timeout, true); }

// A transaction without a record, or one that aborts, wakes nobody when it ends. So this looks
// whether it has ended, and only then asks for a batch, whose frontier then includes it.
absl::Status WaitForTransaction(FullXid xid, Timeout timeout) {
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  TVIEWS_RETURN_IF_ERROR(CheckXid(xid));
  const Deadline deadline(timeout);
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(deadline));
    const std::uint32_t generation = slot->generation.Load();
    bool has_ticket = false;
    TVIEWS_ASSIGN_OR_RETURN(const bool included,
                            SleepUntil(slot, generation, deadline, kTransactionRecheckMs, [&] {
                              if (FrontierIncludes(slot, xid)) {
                                return slot->behind_count.Load() == 0;
                              }
                              if (!has_ticket && !IsInProgress(xid))
                                has_ticket = TakeTicket(slot) != 0;
                              return false;
                            }));
    if (included) return absl::OkStatus();
    if (deadline.has_passed()) return TimedOut();
  }
}

absl::StatusOr<RefreshOutcome> RequestRefresh(RelationId tview) {
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { before_shmem_exit(AbandonAtExit, Datum{0}); }));
  absl::StatusOr<RefreshOutcome> outcome = PlaceAndAwait(tview);
  AbandonRequest();
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { cancel_before_shmem_exit(AbandonAtExit, Datum{0}); }));
  return outcome;
}

}  // namespace tviews::backend
