#include "backend/functions/request_refresh.h"

#include <optional>
#include <string>

#include "backend/reading/slot_wait.h"
#include "backend/reading/waiting.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/dead_letter.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <storage/ipc.h>
#include <utils/inval.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using pg::DatabaseSlot;
using pg::RefreshRequest;

// How often a waiter looks by itself: a batch that fails wakes nobody.
constexpr long kRecheckMs = 100;

constexpr char kItsTurn[] = "the applier to refresh the TVIEW";

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
    const bool is_taken =
        request.state == RefreshRequest::kTaken || request.state == RefreshRequest::kRunning;
    request.state = is_taken ? RefreshRequest::kAbandoned : RefreshRequest::kFree;
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

bool IsRunning() {
  pg::ReadHolder holder(my_request.slot->queue_lock);
  return my_request.slot->generation.Load() == my_request.generation &&
         my_request.slot->requests[my_request.index].state == RefreshRequest::kRunning;
}

absl::StatusOr<RefreshOutcome> TakeAnswer() {
  RefreshRequest answer;
  {
    pg::ReadHolder holder(my_request.slot->queue_lock);
    answer = my_request.slot->requests[my_request.index];
  }
  if (answer.state == RefreshRequest::kFailed) {
    return pg::WithHintToDeadLetters(pg::MakeError(
        absl::StatusCode::kAborted, {.message = answer.error, .sqlstate = answer.sqlstate}));
  }
  return RefreshOutcome{answer.inserted, answer.updated, answer.deleted};
}

// Its turn is waited for until the deadline. A refresh that has begun is waited for to its end,
// which pg_tviews.refresh_timeout brings about.
absl::StatusOr<bool> AwaitAnswer(DatabaseSlot* slot, std::uint32_t generation,
                                 const Deadline& deadline, const Concerned& concerned) {
  const auto sleep_until = [&](const Deadline& until) {
    const SleepPlan plan = {.deadline = until,
                            .concerned = concerned,
                            .recheck_ms = kRecheckMs,
                            .leave_at_standstill = false};
    return SleepUntil(slot, generation, plan, [] { return IsAnswered(); });
  };
  TVIEWS_ASSIGN_OR_RETURN(bool is_answered, sleep_until(deadline));
  while (!is_answered && IsRunning()) {
    TVIEWS_ASSIGN_OR_RETURN(is_answered, sleep_until(Deadline(Timeout(kRecheckMs * 1000))));
  }
  return is_answered;
}

absl::StatusOr<std::string> LaneOf(RelationId tview) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { AcceptInvalidationMessages(); }));
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
  return std::string(state.has_value() ? state->lane : kMainLane);
}

absl::StatusOr<RefreshOutcome> PlaceAndAwait(RelationId tview) {
  const Deadline deadline(ReadTimeout());
  const Concerned concerned{.tviews = {tview}, .all = false};
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string lane, LaneOf(tview));
    TVIEWS_ASSIGN_OR_RETURN(DatabaseSlot * slot, SlotHere(deadline, lane));
    if (slot == nullptr) return TimedOut(kItsTurn);
    const std::uint32_t generation = slot->generation.Load();
    const SleepPlan plan = {.deadline = deadline,
                            .concerned = concerned,
                            .recheck_ms = kRecheckMs,
                            .leave_at_standstill = false};
    TVIEWS_ASSIGN_OR_RETURN(const bool placed, SleepUntil(slot, generation, plan, [&] {
                              return PlaceRequest(slot, tview);
                            }));
    if (placed) {
      TVIEWS_ASSIGN_OR_RETURN(const bool answered,
                              AwaitAnswer(slot, generation, deadline, concerned));
      TVIEWS_ASSIGN_OR_RETURN(const std::string present_lane, LaneOf(tview));
      // Where the TVIEW has moved meanwhile, its former lane does not know it.
      if (answered && present_lane == lane) return TakeAnswer();
    }
    AbandonRequest();  // in a slot that has been freed since, or for the time that has passed
    if (deadline.has_passed()) return TimedOut(kItsTurn);
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
