#include "worker/batch/batch_watch.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/shmem/worker_slots.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <libpq/pqsignal.h>
#include <miscadmin.h>
#include <storage/latch.h>
#include <storage/lock.h>
#include <storage/proc.h>
#include <tcop/tcopprot.h>
#include <utils/timeout.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr int kTickMs = 100;
constexpr int kTicksToGiveWay = 2;
constexpr int kLookMs = 10;  // how often lanes are told of news, while a batch takes long
// With a query that does not end when it is cancelled; shorter where somebody waits for it.
constexpr Timestamp kPatience = 5000000;
constexpr Timestamp kPatienceOfWaiting = 800000;

// Everything below is read and written by signal handlers too. The locks change only while the
// timer is off.
TimeoutId timer = MAX_TIMEOUTS;
TimeoutId lanes_timer = MAX_TIMEOUTS;
pg::DatabaseSlot* my_slot = nullptr;
std::atomic<bool> is_watching = false;
std::atomic<Ending> interruption = Ending::kCommitted;  // kCommitted: none so far
std::atomic<Timestamp> interrupted_at = 0;
std::atomic<Timestamp> deadline = 0;  // 0: none
std::atomic<RelationId> current = 0;
std::atomic<bool> gives_way = true;
std::atomic<int> ticks_waited = 0;
std::atomic<bool> is_first_look = true;

std::vector<pg::BusyLock>& Locks() {
  static NoDestructor<std::vector<pg::BusyLock>> locks;
  return *locks;
}

bool ByRelation(const pg::BusyLock& a, const pg::BusyLock& b) { return a.relation < b.relation; }

// Whether a session waits for a lock on `relation` that conflicts with one of the batch.
bool IsInTheWayOf(RelationId relation, LOCKMODE wanted) {
  const auto [begin, end] =
      std::equal_range(Locks().begin(), Locks().end(), pg::BusyLock{relation, 0}, ByRelation);
  return std::any_of(begin, end, [wanted](const pg::BusyLock& held) {
    return DoLockModesConflict(held.mode, wanted);
  });
}

bool SomebodyWaits() {
  for (std::uint32_t i = 0; i < ProcGlobal->allProcCount; ++i) {
    const volatile PGPROC* const process = &ProcGlobal->allProcs[i];
    if (process->databaseId != MyDatabaseId || process->waitStatus != PROC_WAIT_STATUS_WAITING) {
      continue;
    }
    const LOCK* const lock = process->waitLock;
    if (lock == nullptr || process->lockGroupLeader == MyProc) continue;
    const LOCKTAG tag = lock->tag;
    if (tag.locktag_type == LOCKTAG_RELATION && tag.locktag_field1 == MyDatabaseId &&
        IsInTheWayOf(tag.locktag_field2, process->waitLockMode)) {
      return true;
    }
  }
  return false;
}

void Interrupt(Ending why, Timestamp now) {
  if (interruption == Ending::kCommitted) {
    interrupted_at = now;
    interruption = why;
  }
  if (now - interrupted_at >= (interruption == Ending::kGaveWay ? kPatienceOfWaiting : kPatience)) {
    my_slot->culprit.is_deaf.Store(1);
    die(0);
    return;
  }
  InterruptPending = true;
  QueryCancelPending = true;
  SetLatch(MyLatch);
}

void OnTick() {
  if (!is_watching) return;
  const Timestamp now = GetCurrentTimestamp();
  const Timestamp end = deadline;
  if (interruption != Ending::kCommitted) {
    Interrupt(interruption, now);
  } else if (end != 0 && now >= end) {
    Interrupt(Ending::kTimedOut, now);
  } else if (!pg::IsParked(my_slot) && (!gives_way || !SomebodyWaits())) {
    ticks_waited = 0;
  } else if (++ticks_waited >= kTicksToGiveWay) {
    Interrupt(Ending::kGaveWay, now);
  }
}

// What the batch is at, first; then what has been committed since.
void OnLate() {
  if (!is_watching) return;
  const bool has_more = my_slot->hurry.Exchange(0) != 0;
  if (is_first_look.exchange(false) || has_more) pg::HurryLanes(my_slot->database.Load());
}

// A limit that has passed for work that is done. REQUIRES: there is none now.
void ForgetLate() noexcept {
  Ending late = Ending::kTimedOut;
  if (interruption.compare_exchange_strong(late, Ending::kCommitted)) QueryCancelPending = false;
}

// The server's own timeouts come as the same signal.
void OnCancel(SIGNAL_ARGS) {
  const bool is_timeout =
      get_timeout_indicator(LOCK_TIMEOUT, false) || get_timeout_indicator(STATEMENT_TIMEOUT, false);
  if (is_watching && !is_timeout && interruption == Ending::kCommitted) {
    interrupted_at = GetCurrentTimestamp();
    interruption = Ending::kCancelled;
  }
  StatementCancelHandler(postgres_signal_arg);
}

}  // namespace

void InstallBatchWatch(pg::DatabaseSlot* slot) {
  my_slot = slot;
  timer = RegisterTimeout(USER_TIMEOUT, OnTick);
  lanes_timer = RegisterTimeout(USER_TIMEOUT, OnLate);
  pqsignal(SIGINT, OnCancel);
}

BatchWatch::BatchWatch() { interruption = Ending::kCommitted; }

void BatchWatch::Begin(std::vector<pg::BusyLock> locks) {
  Locks() = std::move(locks);
  interruption = Ending::kCommitted;
  deadline = 0;
  current = 0;
  gives_way = true;
  ticks_waited = 0;
  is_watching = true;
  enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kTickMs), kTickMs);
}

void BatchWatch::HurryLanesWhenLate() {
  is_first_look = true;
  enable_timeout_every(lanes_timer,
                       TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pg::kLateHandoverMs),
                       kLookMs);
}

void BatchWatch::End() noexcept {
  if (!is_watching) return;
  is_watching = false;
  disable_timeout(timer, false);
  if (get_timeout_active(lanes_timer)) disable_timeout(lanes_timer, false);
  deadline = 0;
  current = 0;
  if (interruption != Ending::kCommitted) QueryCancelPending = false;
}

void BatchWatch::BeginTview(RelationId tview, std::int64_t limit_ms, bool may_give_way) noexcept {
  current = tview;
  gives_way = may_give_way;
  deadline = limit_ms == 0 ? 0 : GetCurrentTimestamp() + limit_ms * 1000;
}

void BatchWatch::EndTview() noexcept {
  deadline = 0;
  current = 0;
  gives_way = true;
  ForgetLate();
}

BatchWatch::Piece::Piece(RelationId tview, std::int64_t limit_ms) noexcept
    : begin_(GetCurrentTimestamp()), outer_tview_(current), outer_deadline_(deadline) {
  current = tview;
  deadline = limit_ms == 0 ? 0 : begin_ + limit_ms * 1000;
}

Ending BatchWatch::Piece::End(const absl::Status& status) noexcept {
  const Ending ending = EndingOf(status);
  deadline = 0;
  ForgetLate();
  current = outer_tview_;
  deadline = outer_deadline_ == 0 ? 0 : outer_deadline_ + (GetCurrentTimestamp() - begin_);
  return ending;
}

RelationId BatchWatch::Current() noexcept { return current; }

Ending BatchWatch::EndingOf(const absl::Status& status) {
  if (status.ok()) return Ending::kCommitted;
  if (interruption != Ending::kCommitted) return interruption;
  if (pg::HasSqlState(status, "55P03")) return Ending::kLockTimeout;
  if (pg::HasSqlState(status, "53") || pg::HasSqlState(status, "58")) return Ending::kShortage;
  return pg::IsTransient(status) ? Ending::kPassing : Ending::kData;
}

}  // namespace tviews::worker
