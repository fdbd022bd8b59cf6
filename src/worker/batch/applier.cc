#include "worker/batch/applier.h"

#include <algorithm>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/status_macros.h"
#include "worker/batch/pinned_settings.h"
#include "worker/batch/worker_activity.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <postmaster/interrupt.h>
#include <storage/latch.h>
#include <utils/guc.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr int kPollMs = 200;        // while prepared transactions may exist, or versions differ
constexpr int kBehindPollMs = 100;  // while TVIEWs wait for locks of sessions
constexpr int kIdleCheckMs = 5000;

// While others wait for a slot or a worker: an applier without work serves this long, one with work
// that long.
constexpr Timestamp kShortTurn = 1000000;
constexpr Timestamp kLongTurn = 2000000;

// Gives the slot back, unless something has come in since we looked (ATTACKS B10).
absl::StatusOr<bool> LeaveIfIdle(pg::DatabaseSlot* slot) {
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_release"));
  return pg::ReleaseIfIdle(slot);
}

absl::Status LogEnd(const char* reason) {
  return pg::Call([reason] { elog(LOG, "pg_tviews applier ends: %s", reason); });
}

}  // namespace

absl::StatusOr<bool> ExtensionIsHere() {
  bool is_here = false;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, pg::ExtensionSchema());
    is_here = schema != 0;
    return pg::Call([] { PopActiveSnapshot(); });
  }));
  return is_here;
}

absl::StatusOr<Departure> Applier::Loop() {
  idle_since_ = began_at_ = GetCurrentTimestamp();
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<Departure> end, ShouldEnd());
    if (end.has_value()) return *end;
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<Departure> departure, Housekeeping());
    if (departure.has_value()) return *departure;
    if (versions_agree_ && is_main() && adoption_.IsDue() && MayBegin()) {
      const absl::Status adopted = adoption_.Run();
      ShowState(repetition_.is_due() ? pg::ApplierState::kBackingOff : pg::ApplierState::kIdle);
      TVIEWS_RETURN_IF_ERROR(adopted);
    }
    if (versions_agree_ && IsDue() && MayBegin()) RunBatch();
    // Lanes without a target of their own do not wait for the main one's.
    if (is_main() && batch_.HasWork() && batch_.IsHeldBack()) pg::HurryLanes(MyDatabaseId);
    if (batch_.has_untold_lanes()) batch_.TellLanes();
    if (versions_agree_ && is_main() && !repetition_.is_due()) chores_.RunDue();
    TVIEWS_RETURN_IF_ERROR(Wait());
  }
}

// By itself, or with the whole database: then nothing that is due is a reason to wake.
bool Applier::IsPaused() const {
  if (slot_->paused.Load() != 0) return true;
  const pg::DatabaseSlot* const main = is_main() ? nullptr : pg::FindSlot(slot_->database.Load());
  return main != nullptr && main->paused.Load() != 0;
}

bool Applier::IsDue() {
  return repetition_.is_due() || (batch_.HasWork() && !batch_.IsHeldBack()) ||
         batch_.BehindDueMs() == 0 || batch_.ClockDueMs() == 0 || batch_.AuditDueMs() == 0 ||
         batch_.FillDueMs() == 0;
}

absl::StatusOr<std::optional<Departure>> Applier::Housekeeping() {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] {
    pg::AcceptInterrupts();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      PinSettings();
    }
  }));
  // DROP DATABASE and the like: another applier comes when the database is free again.
  if (pg::IsParked(slot_)) {
    TVIEWS_RETURN_IF_ERROR(LogEnd("the database is wanted without other sessions"));
    return Departure::kWithSlot;
  }
  // An empty transaction takes in what other sessions have invalidated.
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([] { return absl::OkStatus(); }));
  if (checked_generation_ == pg::CatalogGeneration()) return std::nullopt;
  checked_generation_ = pg::CatalogGeneration();
  // DROP EXTENSION: the slot goes back, the launcher starts another applier when it is needed.
  TVIEWS_ASSIGN_OR_RETURN(const bool is_here, ExtensionIsHere());
  if (is_here) {
    TVIEWS_RETURN_IF_ERROR(CheckVersions());
    return std::nullopt;
  }
  TVIEWS_RETURN_IF_ERROR(LogEnd("the extension is gone"));
  return pg::ReleaseSlot(slot_, batch_.PreparedUpTo()) ? Departure::kSlotReleased
                                                       : Departure::kWithSlot;
}

// Records wait in the outbox, and overflow the queue, while the SQL objects are of another version.
absl::Status Applier::CheckVersions() {
  const absl::Status agree = pg::RunTransaction([] { return pg::CheckVersion(); });
  if (versions_agree_ && !agree.ok()) pg::LogFailure(agree, "the applier of this database waits");
  versions_agree_ = agree.ok();
  return absl::OkStatus();
}

// Under the lock under which sessions pause: after that no batch begins, and no adoption; what has
// begun is seen as applying.
bool Applier::MayBeginHere() {
  pg::ExclusiveHolder holder(slot_->queue_lock);
  if (slot_->paused.Load() != 0) return false;
  ShowState(pg::ApplierState::kApplying);
  return true;
}

// A lane is paused by itself, or with the whole database: what has begun is seen under both locks.
bool Applier::MayBegin() {
  if (!MayBeginHere()) return false;
  pg::DatabaseSlot* const main = is_main() ? nullptr : pg::FindSlot(slot_->database.Load());
  if (main == nullptr) return true;
  pg::ExclusiveHolder holder(main->queue_lock);
  if (main->paused.Load() == 0 || main->database.Load() != slot_->database.Load()) return true;
  ShowState(pg::ApplierState::kIdle);
  return false;
}

void Applier::ShowState(pg::ApplierState state) {
  slot_->activity.state.Store(static_cast<std::int32_t>(state));
}

void Applier::RunBatch() {
  const std::uint64_t batches = slot_->activity.batches.Load();
  const BatchEnd end = batch_.Run(repetition_.mode());
  ShowIdle();
  const Repetition::Step step =
      repetition_.After(end.ending, GetCurrentTimestamp(), end.leaves_aside);
  // DDL that meets the beginning of a batch is nothing to report, unless it happens again.
  const bool is_failure = step.next != Next::kRest && step.next != Next::kAtOnce;
  ShowState(is_failure ? pg::ApplierState::kBackingOff : pg::ApplierState::kIdle);
  if (is_failure) slot_->activity.retries.Add(1);
  if (step.is_logged) pg::LogFailure(end.error, "a batch failed and is tried again");
  if (slot_->activity.batches.Load() != batches) idle_since_ = GetCurrentTimestamp();
  if (is_main() && (is_failure || step.next == Next::kAwaitLock)) pg::HurryLanes(MyDatabaseId);
  if (step.next != Next::kAwaitLock) return;
  const absl::Status waited = batch_.AwaitLock();
  if (!waited.ok()) pg::LogFailure(waited, "a lock was not to be had");
}

absl::Status Applier::Wait() {
  long timeout = kIdleCheckMs;
  int events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
  if (IsPaused()) {
    // pg_tviews_resume() sets the latch.
  } else if (!versions_agree_) {
    timeout = kPollMs;
  } else if (repetition_.is_due()) {
    // The first repetitions come at once: a newer snapshot is all they need.
    timeout = std::max(0L, static_cast<long>((repetition_.until() - GetCurrentTimestamp()) / 1000));
    events &= ~WL_LATCH_SET;
  } else if (batch_.BehindDueMs() == 0) {
    timeout = kBehindPollMs;
  } else if (batch_.MustPoll() || pg::Slots()->turned_away_at.Load() > began_at_) {
    timeout = kPollMs;
  } else {
    timeout = std::min(timeout, pg::settings::applier_idle_timeout * 1000L);
    if (is_main() && adoption_.is_pending()) timeout = std::min(timeout, adoption_.NapMs());
    if (batch_.BehindDueMs() > 0) timeout = std::min(timeout, batch_.BehindDueMs());
    if (batch_.ClockDueMs() >= 0) timeout = std::min(timeout, batch_.ClockDueMs());
    if (batch_.AuditDueMs() >= 0) timeout = std::min(timeout, batch_.AuditDueMs());
  }
  if (!IsPaused() && batch_.HasWork() && batch_.IsHeldBack())
    timeout = std::min(timeout, batch_.HeldBackMs());
  if (batch_.has_untold_lanes()) timeout = std::min<long>(timeout, kPollMs);
  if (versions_agree_ && !repetition_.is_due()) {
    if (is_main()) timeout = std::min(timeout, chores_.NextDueMs());
    const bool may_fill = !IsPaused() && batch_.FillDueMs() >= 0;
    if (may_fill) timeout = std::min(timeout, batch_.FillDueMs());
  }
  return pg::Call([&] {
    const int happened = WaitLatch(
        MyLatch, events, timeout,
        pg::WaitEvent(repetition_.is_due() ? pg::Wait::kApplierBackOff : pg::Wait::kApplierMain));
    if ((happened & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
    QueryCancelPending = false;  // nothing runs that it could be for
    pg::AcceptInterrupts();
  });
}

// The slot of a lane that has work stays its own: nobody else would find that there is any.
absl::StatusOr<std::optional<Departure>> Applier::ShouldEnd() const {
  const auto released = [](bool is_released) {
    return is_released ? std::optional(Departure::kSlotReleased) : std::nullopt;
  };
  const Timestamp now = GetCurrentTimestamp();
  const bool is_in_the_way = pg::Slots()->turned_away_at.Load() > began_at_;
  if (is_in_the_way && now - began_at_ >= kLongTurn) {
    if (!is_main()) return Departure::kWithSlot;
    const bool is_released = pg::ReleaseSlot(slot_, batch_.PreparedUpTo());
    // Nothing in shared memory says that there is something left to fill.
    if (is_released && batch_.has_fills()) pg::VisitEveryDatabase();
    return released(is_released);
  }
  if (repetition_.is_due() || batch_.HasWork() || batch_.has_behind()) return std::nullopt;
  if (batch_.has_untold_lanes() || batch_.has_fills()) return std::nullopt;
  if (is_in_the_way && now - began_at_ >= kShortTurn) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_released, LeaveIfIdle(slot_));
    return released(is_released);
  }
  if ((is_main() && adoption_.is_pending()) || batch_.ClockDueMs() >= 0) return std::nullopt;
  if (now - idle_since_ < pg::settings::applier_idle_timeout * Timestamp{1000000}) {
    return std::nullopt;
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool is_released, LeaveIfIdle(slot_));
  return released(is_released);
}

}  // namespace tviews::worker
