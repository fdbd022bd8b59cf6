#include "backend/functions/request_refresh.h"

#include "backend/reading/slot_wait.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <storage/ipc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using pg::DatabaseSlot;
using pg::RefreshRequest;

// How often a waiter looks by itself: a batch that fails wakes nobody.
constexpr long kRecheckMs = 100;

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

// Puts the request into a free place; false if there is none, if the role has its share already, or
// if the slot has been freed.
bool PlaceRequest(DatabaseSlot* slot, RelationId tview) {
  const RoleId role = GetUserId();
  pg::ExclusiveHolder holder(slot->queue_lock);
  if (slot->database.Load() != MyDatabaseId) return false;
  int free = -1;
  int of_role = 0;
  for (int i = 0; i < pg::kRefreshRequests; ++i) {
    if (slot->requests[i].state == RefreshRequest::kFree) {
      free = i;
    } else if (slot->requests[i].role == role) {
      ++of_role;
    }
  }
  if (free < 0 || of_role >= pg::kRefreshRequestsOfRole) return false;
  slot->requests[free] = RefreshRequest{};
  slot->requests[free].state = RefreshRequest::kWaiting;
  slot->requests[free].role = role;
  slot->requests[free].tview = tview;
  my_request = {slot, slot->generation.Load(), free};
  return true;
}

bool IsAnswered() {
  pg::ReadHolder holder(my_request.slot->queue_lock);
  const std::uint32_t state = my_request.slot->requests[my_request.index].state;
  return state == RefreshRequest::kDone || state == RefreshRequest::kFailed;
}

absl::StatusOr<RefreshOutcome> TakeAnswer() {
  RefreshRequest answer;
  {
    pg::ReadHolder holder(my_request.slot->queue_lock);
    answer = my_request.slot->requests[my_request.index];
  }
  if (answer.state == RefreshRequest::kFailed) {
    return pg::MakeError(absl::StatusCode::kAborted,
                         {.message = answer.error, .sqlstate = answer.sqlstate});
  }
  return RefreshOutcome{answer.inserted, answer.updated, answer.deleted};
}

absl::StatusOr<RefreshOutcome> PlaceAndAwait(RelationId tview) {
  const Deadline forever{Timeout()};
  const Concerned concerned{.tviews = {tview}, .all = false};
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(forever));
    const std::uint32_t generation = slot->generation.Load();
    const SleepPlan plan = {.deadline = forever,
                            .concerned = concerned,
                            .recheck_ms = kRecheckMs,
                            .leave_at_standstill = false};
    TVIEWS_ASSIGN_OR_RETURN(const bool placed, SleepUntil(slot, generation, plan, [&] {
                              return PlaceRequest(slot, tview);
                            }));
    if (!placed) {
      AbandonRequest();  // in a slot that has been freed since
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const bool answered,
                            SleepUntil(slot, generation, plan, [] { return IsAnswered(); }));
    if (answered) return TakeAnswer();
    AbandonRequest();
  }
}

}  // namespace

absl::StatusOr<RefreshOutcome> RequestRefresh(RelationId tview) {
  TVIEWS_RETURN_IF_ERROR(CheckApplierCanServe());
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { before_shmem_exit(AbandonAtExit, Datum{0}); }));
  absl::StatusOr<RefreshOutcome> outcome = PlaceAndAwait(tview);
  AbandonRequest();
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { cancel_before_shmem_exit(AbandonAtExit, Datum{0}); }));
  return outcome;
}

}  // namespace tviews::backend
