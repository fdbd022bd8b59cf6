#include "shared/pg/shmem/shmem.h"

#include <cstring>

#include "shared/pg/server/settings.h"
#include "shared/record_ring.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/twophase.h>
#include <miscadmin.h>
#include <storage/condition_variable.h>
#include <storage/ipc.h>
#include <storage/lwlock.h>
#include <storage/shmem.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr char kName[] = "pg_tviews";
constexpr char kStatsName[] = "pg_tviews statistics";
constexpr char kNotesName[] = "pg_tviews sessions";
constexpr char kCachesName[] = "pg_tviews caches";

static_assert(sizeof(ConditionVariable) <= sizeof(DatabaseSlot::progress));

SlotTable* slot_table = nullptr;
StatsTable* stats_table = nullptr;
SessionNote* session_note_table = nullptr;
CacheTable* cache_table = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;
bool is_requested = false;

std::size_t RingCapacity() { return static_cast<std::size_t>(settings::queue_size) * 1024; }

// A snapshot lists at most one transaction per process slot and prepared transaction.
std::uint32_t MaxInProgress() { return MaxBackends + max_prepared_xacts; }

int LaneCount() { return settings::max_databases * settings::max_lanes; }
int SlotCount() { return settings::max_databases + LaneCount(); }
// Nothing is ever published in a lane's.
constexpr std::size_t kLaneRingCapacity = 1024;

// The table's, two of each slot, and the statistics'.
int LockCount() { return 1 + 2 * SlotCount() + 1; }

struct Layout {
  std::size_t frontiers;  // offset of the in-progress arrays
  std::size_t rings;      // offset of the rings
  std::size_t ring_size;
  std::size_t lane_rings;
  std::size_t lane_ring_size;
  std::size_t total;
};

Layout ComputeLayout() {
  Layout layout;
  layout.frontiers =
      MAXALIGN(offsetof(SlotTable, slots) + sizeof(DatabaseSlot) * static_cast<Size>(SlotCount()));
  layout.rings = MAXALIGN(layout.frontiers +
                          sizeof(FullXid) * MaxInProgress() * static_cast<Size>(SlotCount()));
  layout.ring_size = MAXALIGN(RecordRing::MemorySize(RingCapacity()));
  layout.lane_rings = layout.rings + layout.ring_size * static_cast<Size>(settings::max_databases);
  layout.lane_ring_size = MAXALIGN(RecordRing::MemorySize(kLaneRingCapacity));
  layout.total = layout.lane_rings + layout.lane_ring_size * static_cast<Size>(LaneCount());
  return layout;
}

void RequestSharedMemory() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(ComputeLayout().total);
  RequestAddinShmemSpace(stats::MemorySize());
  RequestAddinShmemSpace(session_notes::MemorySize());
  RequestAddinShmemSpace(sizeof(CacheTable));
  RequestNamedLWLockTranche(kName, LockCount());
  is_requested = true;
}

// A library that takes the hook and forgets whom it had before keeps those from asking for memory.
void CheckRequested() {
  if (is_requested) return;
  ereport(FATAL,
          (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("pg_tviews could not ask for shared memory"),
           errdetail("A library after it in shared_preload_libraries does not call the "
                     "shmem_request_hook that it found."),
           errhint("Name that library first in shared_preload_libraries.")));
}

// No other process is there yet.
void InitializeTable(SlotTable* table) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const Layout layout = ComputeLayout();
  char* const base = reinterpret_cast<char*>(table);
  LWLockPadded* locks = GetNamedLWLockTranche(kName);
  std::memset(base, 0, layout.rings);
  table->lock.Attach(&(locks++)->lock);
  table->slot_count = settings::max_databases;
  table->lane_count = LaneCount();
  table->max_in_progress = MaxInProgress();
  table->ring_capacity = RingCapacity();
  table->launcher.Store(-1);
  for (int i = 0; i < table->all(); ++i) {
    DatabaseSlot& slot = table->slots[i];
    slot.applier.Store(-1);
    slot.queue_lock.Attach(&(locks++)->lock);
    slot.frontier_lock.Attach(&(locks++)->lock);
    slot.frontier_in_progress =
        reinterpret_cast<FullXid*>(base + layout.frontiers) + table->max_in_progress * i;
    if (i < table->slot_count) {
      slot.ring = base + layout.rings + layout.ring_size * i;
      RecordRing::Format(slot.ring, RingCapacity());
    } else {
      slot.ring = base + layout.lane_rings + layout.lane_ring_size * (i - table->slot_count);
      RecordRing::Format(slot.ring, kLaneRingCapacity);
    }
    ConditionVariableInit(reinterpret_cast<ConditionVariable*>(slot.progress));
  }
}

StatsTable* FormatStats(void* memory) {
  std::memset(memory, 0, stats::MemorySize());
  return stats::Format(memory, &GetNamedLWLockTranche(kName)[LockCount() - 1].lock);
}

void StartUpSharedMemory() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  CheckRequested();
  bool found = false;
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  slot_table = static_cast<SlotTable*>(ShmemInitStruct(kName, ComputeLayout().total, &found));
  if (!found) InitializeTable(slot_table);
  void* const statistics = ShmemInitStruct(kStatsName, stats::MemorySize(), &found);
  stats_table = found ? static_cast<StatsTable*>(statistics) : FormatStats(statistics);
  void* const notes = ShmemInitStruct(kNotesName, session_notes::MemorySize(), &found);
  if (!found) std::memset(notes, 0, session_notes::MemorySize());
  session_note_table = static_cast<SessionNote*>(notes);
  cache_table = static_cast<CacheTable*>(ShmemInitStruct(kCachesName, sizeof(CacheTable), &found));
  if (!found) std::memset(static_cast<void*>(cache_table), 0, sizeof(CacheTable));
  LWLockRelease(AddinShmemInitLock);
}

}  // namespace

void InitializeSharedMemory() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestSharedMemory;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = StartUpSharedMemory;
}

SlotTable* Slots() { return slot_table; }
QueueState QueueOf(DatabaseSlot* slot) {
  return QueueState(slot->ring, &slot->counters, &slot_table->unslotted);
}
SharedLock& SlotTableLock() { return slot_table->lock; }
StatsTable* Stats() { return stats_table; }
SessionNote* SessionNotes() { return session_note_table; }
CacheTable* Caches() { return cache_table; }

}  // namespace tviews::pg
