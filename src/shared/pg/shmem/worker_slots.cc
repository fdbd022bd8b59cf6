#include "shared/pg/shmem/worker_slots.h"

#include <cstring>

#include "shared/lane.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/record_ring.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <storage/latch.h>
#include <storage/proc.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr Timestamp kParkingTime = 30 * 1000000;
constexpr Timestamp kReservation = 1000000;
constexpr Timestamp kCrowdedTime = 10 * 1000000;

void SetLatchOf(std::int32_t process) { SetLatch(&ProcGlobal->allProcs[process].procLatch); }

DatabaseSlot* Find(DatabaseId database) {
  SlotTable* const table = Slots();
  for (int i = 0; i < table->slot_count; ++i) {
    if (table->slots[i].database.Load() == database) return &table->slots[i];
  }
  return nullptr;
}

DatabaseSlot* FindLaneLocked(DatabaseId database, const char* lane)
    ABSL_SHARED_LOCKS_REQUIRED(SlotTableLock()) {
  SlotTable* const table = Slots();
  for (int i = table->slot_count; i < table->all(); ++i) {
    DatabaseSlot* const slot = &table->slots[i];
    if (slot->database.Load() == database && strcmp(slot->lane, lane) == 0) return slot;
  }
  return nullptr;
}

DatabaseSlot* FindFreeLaneLocked() {
  SlotTable* const table = Slots();
  for (int i = table->slot_count; i < table->all(); ++i) {
    if (table->slots[i].database.Load() == 0) return &table->slots[i];
  }
  return nullptr;
}

DatabaseSlot* FindFreeLocked(DatabaseId database) ABSL_SHARED_LOCKS_REQUIRED(SlotTableLock()) {
  SlotTable* const table = Slots();
  for (int i = 0; i < table->slot_count; ++i) {
    DatabaseSlot* const slot = &table->slots[i];
    if (slot->database.Load() != 0) continue;
    if (slot->reserved_from != database || slot->reserved_until <= GetCurrentTimestamp()) {
      return slot;
    }
  }
  return nullptr;
}

// Who gives a slot away comes back for the clock: the launcher sees to it.
void NoteClockLocked(Timestamp due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(SlotTableLock()) {
  Shared<Timestamp>& first = Slots()->clock_due;
  const Timestamp known = first.Load();
  if (due != 0 && (known == 0 || due < known)) first.Store(due);
}

// The waiters see that it serves another database, or none, and look for their slot again. While
// others look for one, the same database does not get it back at once.
void FreeLocked(DatabaseSlot* slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(SlotTableLock()) {
  if (IsCrowded()) {
    slot->reserved_from = slot->database.Load();
    slot->reserved_until = GetCurrentTimestamp() + kReservation;
  }
  NoteClockLocked(slot->clock_due.Exchange(0));
  slot->applier.Store(-1);
  slot->applier_pid.Store(0);
  slot->database.Store(0);
  Slots()->freed.Add(1);
}

void BeginSlotLocked(DatabaseSlot* slot, DatabaseId database, const char* lane)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(SlotTableLock()) {
  ExclusiveHolder holder(slot->queue_lock);
  QueueOf(slot).Begin();
  slot->paused.Store(0);
  slot->hurry.Store(0);
  slot->is_closing.Store(0);
  slot->applier.Store(-1);
  slot->applier_pid.Store(0);
  slot->needs_applier.Store(0);
  slot->parked_until.Store(0);
  slot->activity = ApplierActivity{};
  slot->culprit = Culprit{};
  for (RefreshRequest& request : slot->requests) request.state = RefreshRequest::kFree;
  {
    ExclusiveHolder frontier(slot->frontier_lock);
    slot->frontier_xmin = 0;
    slot->frontier_xmax = 0;
    slot->frontier_count = 0;
    slot->behind_count.Store(0);
    slot->given_up.Store(0);
    slot->clock_due.Store(0);
    slot->busy_count = 0;
  }
  strlcpy(slot->lane, lane, sizeof(slot->lane));
  slot->generation.Add(1);
  slot->database.Store(database);
}

DatabaseSlot* ClaimLaneLocked(DatabaseId database, const char* lane)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(SlotTableLock()) {
  if (DatabaseSlot* slot = FindLaneLocked(database, lane); slot != nullptr) return slot;
  DatabaseSlot* const free = FindFreeLaneLocked();
  if (free != nullptr) BeginSlotLocked(free, database, lane);
  return free;
}

bool IsMain(const std::string& lane) { return lane == kMainLane; }

bool IsInFlightLocked(DatabaseSlot* slot) ABSL_SHARED_LOCKS_REQUIRED(slot->queue_lock) {
  for (const RefreshRequest& request : slot->requests) {
    if (request.state != RefreshRequest::kFree) return true;
  }
  // Who is left behind for a fault is to be tried again, although nobody waits for it.
  return slot->paused.Load() != 0 || slot->hurry.Load() != 0 || slot->behind_count.Load() != 0 ||
         slot->given_up.Load() != 0 || QueueOf(slot).IsInFlight();
}

}  // namespace

DatabaseSlot* FindSlot(DatabaseId database) noexcept { return Find(database); }

DatabaseSlot* ClaimSlot(DatabaseId database) noexcept {
  if (DatabaseSlot* slot = Find(database); slot != nullptr) return slot;
  ExclusiveHolder holder(SlotTableLock());
  if (DatabaseSlot* slot = Find(database); slot != nullptr) return slot;
  DatabaseSlot* const free = FindFreeLocked(database);
  if (free != nullptr) BeginSlotLocked(free, database, kMainLane);
  return free;
}

DatabaseSlot* FindLaneSlot(DatabaseId database, const std::string& lane) noexcept {
  if (IsMain(lane)) return Find(database);
  ReadHolder holder(SlotTableLock());
  return FindLaneLocked(database, lane.c_str());
}

DatabaseSlot* ClaimLaneSlot(DatabaseId database, const std::string& lane) noexcept {
  if (IsMain(lane)) return ClaimSlot(database);
  ExclusiveHolder holder(SlotTableLock());
  return ClaimLaneLocked(database, lane.c_str());
}

// Under the lock under which slots are freed.
bool KickLane(DatabaseId database, const std::string& lane) noexcept {
  DatabaseSlot* slot = nullptr;
  {
    ExclusiveHolder holder(SlotTableLock());
    slot = ClaimLaneLocked(database, lane.c_str());
    if (slot == nullptr) return false;
    slot->counters.overflow.started.Add(1);
    slot->counters.overflow.finished.Add(1);
  }
  WakeApplierOf(slot);
  return true;
}

void HurryLanes(DatabaseId database) noexcept {
  SlotTable* const table = Slots();
  for (int i = table->slot_count; i < table->all(); ++i) {
    DatabaseSlot* const slot = &table->slots[i];
    if (slot->database.Load() != database) continue;
    slot->hurry.Store(1);
    WakeApplierOf(slot);
  }
}

bool IsLateToHandOver(const DatabaseSlot* main) noexcept {
  const auto state = static_cast<ApplierState>(main->activity.state.Load());
  if (state != ApplierState::kApplying && state != ApplierState::kBackingOff) return false;
  return GetCurrentTimestamp() - main->activity.batch_started.Load() >= kLateHandoverMs * 1000;
}

bool IsOfLane(const DatabaseSlot* slot) noexcept {
  return slot - Slots()->slots >= Slots()->slot_count;
}

void ForEachSlotOf(DatabaseId database, absl::FunctionRef<void(DatabaseSlot*)> visit) {
  SlotTable* const table = Slots();
  for (int i = 0; i < table->all(); ++i) {
    if (table->slots[i].database.Load() == database) visit(&table->slots[i]);
  }
}

bool AttachApplier(DatabaseSlot* slot) noexcept {
  ExclusiveHolder holder(SlotTableLock());
  if (slot->database.Load() != MyDatabaseId || slot->applier.Load() >= 0 || IsParked(slot)) {
    return false;
  }
  slot->applier.Store(compat::NumberOfMyProc());
  slot->applier_pid.Store(MyProcPid);
  slot->needs_applier.Store(0);
  slot->is_closing.Store(0);
  slot->activity.starts.Add(1);
  QueueOf(slot).BeginApplier();
  ExclusiveHolder queue(slot->queue_lock);
  for (RefreshRequest& request : slot->requests) {
    if (request.state == RefreshRequest::kTaken || request.state == RefreshRequest::kRunning) {
      request.state = RefreshRequest::kWaiting;
    }
    if (request.state == RefreshRequest::kAbandoned) request.state = RefreshRequest::kFree;
  }
  return true;
}

void DetachApplier(DatabaseSlot* slot) noexcept {
  {
    ExclusiveHolder holder(SlotTableLock());
    if (slot->applier_pid.Load() != MyProcPid) return;
    slot->applier.Store(-1);
    slot->applier_pid.Store(0);
    slot->activity.state.Store(static_cast<std::int32_t>(ApplierState::kNone));
    slot->activity.tview.Store(0);
    slot->needs_applier.Store(1);
  }
  WakeLauncher();
}

bool ReleaseIfIdle(DatabaseSlot* slot) noexcept {
  ExclusiveHolder holder(SlotTableLock());
  ExclusiveHolder queue(slot->queue_lock);
  if (IsInFlightLocked(slot)) return false;
  FreeLocked(slot);
  return true;
}

bool ReleaseSlot(DatabaseSlot* slot, std::optional<RingPosition> prepared_up_to) noexcept {
  bool has_work = false;
  {
    ExclusiveHolder holder(SlotTableLock());
    ExclusiveHolder queue(slot->queue_lock);
    for (const RefreshRequest& request : slot->requests) {
      if (request.state != RefreshRequest::kFree) return false;
    }
    if (slot->paused.Load() != 0) return false;
    const OverflowCounters& overflow = slot->counters.overflow;
    if (overflow.started.Load() != overflow.finished.Load()) return false;
    RecordRing ring(slot->ring);
    if (!ring.empty() && prepared_up_to != ring.tail()) {
      slot->is_closing.Store(1);
      return false;
    }
    has_work = IsInFlightLocked(slot);
    ring.Clear();
    FreeLocked(slot);
  }
  if (has_work) VisitEveryDatabase();
  return true;
}

void AskForRoom() noexcept {
  SlotTable* const table = Slots();
  table->turned_away_at.Store(GetCurrentTimestamp());
  for (int i = 0; i < table->all(); ++i) {
    const std::int32_t applier = table->slots[i].applier.Load();
    if (applier >= 0) SetLatchOf(applier);
  }
}

bool IsCrowded() noexcept {
  return GetCurrentTimestamp() - Slots()->turned_away_at.Load() < kCrowdedTime;
}

void VisitEveryDatabase() noexcept {
  Slots()->visits.Add(1);
  WakeLauncher();
}

bool TakeClockDue(Timestamp now) noexcept {
  ExclusiveHolder holder(SlotTableLock());
  Shared<Timestamp>& first = Slots()->clock_due;
  if (first.Load() == 0 || first.Load() > now) return false;
  first.Store(0);
  return true;
}

void VisitNewDatabases() noexcept {
  Slots()->new_visits.Add(1);
  WakeLauncher();
}

bool ParkSlot(DatabaseId database) noexcept {
  bool any = false;
  ForEachSlotOf(database, [&any](DatabaseSlot* slot) {
    slot->parked_until.Store(GetCurrentTimestamp() + kParkingTime);
    const std::int32_t applier = slot->applier.Load();
    if (applier < 0) return;
    any = true;
    SetLatchOf(applier);
  });
  return any;
}

bool IsParked(const DatabaseSlot* slot) noexcept {
  return slot->parked_until.Load() > GetCurrentTimestamp();
}

void UnparkSlot(DatabaseId database) noexcept {
  {
    ExclusiveHolder holder(SlotTableLock());
    ForEachSlotOf(database, [](DatabaseSlot* slot) {
      slot->parked_until.Store(0);
      slot->needs_applier.Store(1);
    });
  }
  WakeLauncher();
}

void FreeParkedSlot(DatabaseId database) noexcept {
  {
    ExclusiveHolder holder(SlotTableLock());
    ForEachSlotOf(database, [](DatabaseSlot* slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(SlotTableLock()) {
      slot->parked_until.Store(0);
      ExclusiveHolder queue(slot->queue_lock);
      RecordRing(slot->ring).Clear();
      FreeLocked(slot);
    });
  }
  WakeLauncher();
}

void WakeApplierOf(DatabaseSlot* slot) noexcept {
  const std::int32_t applier = slot->applier.Load();
  if (applier >= 0) {
    SetLatchOf(applier);
    return;
  }
  slot->needs_applier.Store(1);
  WakeLauncher();
}

void WakeLauncher() noexcept {
  const std::int32_t launcher = Slots()->launcher.Load();
  if (launcher >= 0) SetLatchOf(launcher);
}

}  // namespace tviews::pg
