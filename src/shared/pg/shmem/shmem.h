// Shared memory: the one request hook and the one startup hook.
//
// Layer:   pg
// Sharing: shared memory
// Errors:  the hooks run in the postmaster; a failure stops the server's start
//
// Lock order: SlotTable.lock, then a slot's queue_lock, then its frontier_lock, then
// StatsTable.lock. Never two of the same kind. The server's own locks (XactTruncationLock,
// ProcArrayLock) are never taken under ours.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_SHMEM_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_SHMEM_H_

#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/shmem/stats.h"

namespace tviews::pg {

// Installs the hooks. Called once, from _PG_init, after RegisterSettings.
void InitializeSharedMemory();

// The table; null only before shared memory exists.
SlotTable* Slots();
// The change queue of a slot's database.
QueueState QueueOf(DatabaseSlot* slot);

// Statistics per TVIEW; the same.
StatsTable* Stats();

// A note for each process, by its place in the server's table; the same.
SessionNote* SessionNotes();

// Counts of caches; the same.
CacheTable* Caches();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_SHMEM_H_
