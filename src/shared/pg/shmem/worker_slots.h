// Which applier serves which database.
//
// Layer:   pg
// Sharing: shared memory, SlotTable.lock
// Errors:  cannot fail; "no free slot" and "taken" are answers
//
//   free --Claim--> claimed, no applier --AttachApplier--> served --DetachApplier--> claimed
//     ^------------------------- ReleaseIfIdle, ReleaseSlot -----------------------------'
//
// A slot begins dirty: its overflow counters say that the outbox must be scanned.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_WORKER_SLOTS_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_WORKER_SLOTS_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/record_ring.h"
#include "shared/types.h"

namespace tviews::pg {

// The slot of `database`, or null.
DatabaseSlot* FindSlot(DatabaseId database) noexcept;

// The slot of `database`; claims a free one if there is none yet; null if all serve others.
DatabaseSlot* ClaimSlot(DatabaseId database) noexcept;

// The same for a lane of the database; of the main one, the slot is the database's.
DatabaseSlot* FindLaneSlot(DatabaseId database, const std::string& lane) noexcept;
DatabaseSlot* ClaimLaneSlot(DatabaseId database, const std::string& lane) noexcept;
// Claims it, and tells its applier that the outbox, or what the lane is owed, has news. False if
// every slot of a lane is taken.
bool KickLane(DatabaseId database, const std::string& lane) noexcept;
// Tells the appliers of all lanes that have a slot that there may be news, although the main one
// has not handed it over. Takes no lock, so that a signal handler may call it.
void HurryLanes(DatabaseId database) noexcept;
// So long a batch of the main lane may take before the others look for themselves.
inline constexpr int kLateHandoverMs = 5;
// True where what is committed now will not be handed over soon.
bool IsLateToHandOver(const DatabaseSlot* main) noexcept;
bool IsOfLane(const DatabaseSlot* slot) noexcept;
// Calls `visit` for the slots of the database and of its lanes.
void ForEachSlotOf(DatabaseId database, absl::FunctionRef<void(DatabaseSlot*)> visit);

// Makes this process the applier of `slot`; false if another one lives.
bool AttachApplier(DatabaseSlot* slot) noexcept;

// The applier leaves. With `wanted` it had nothing left to do; otherwise the launcher is asked for
// another one.
void DetachApplier(DatabaseSlot* slot) noexcept;

// In a crowd, who frees a slot cannot claim it again for a second.
//
// Frees the slot if nothing of it is in flight. By its applier, which stays attached on false.
bool ReleaseIfIdle(DatabaseSlot* slot) noexcept;

// Frees the slot although work may wait for it: that is in the outbox, where the database's next
// applier begins. For a second the same database cannot claim it again, if others want it. By its
// applier, which stays attached on false: somebody waits for an answer in the slot, counts in it,
// or has an entry in its ring. Then the slot is closing: writers publish nothing there any more, so
// that the applier can empty it and try again. Entries below `prepared_up_to` are in nobody's way:
// no session ends their transactions, and the next applier finds their rows.
bool ReleaseSlot(DatabaseSlot* slot, std::optional<RingPosition> prepared_up_to) noexcept;

// Somebody finds no free slot, or no free worker: appliers give way in turn, and the launcher
// visits every database.
void AskForRoom() noexcept;
bool IsCrowded() noexcept;  // somebody has, a short time ago
void VisitEveryDatabase() noexcept;

// True, once, when the moment has come for which a database without a slot has waited.
bool TakeClockDue(Timestamp now) noexcept;

// A database was created: the launcher visits those that it has not seen yet.
void VisitNewDatabases() noexcept;

// Keeps appliers away from `database` for half a minute from now, and makes the one that lives end.
// True while there is still one.
bool ParkSlot(DatabaseId database) noexcept;
bool IsParked(const DatabaseSlot* slot) noexcept;

// The database may be served again.
void UnparkSlot(DatabaseId database) noexcept;
// The database exists no more: its slot is free, without anything that it held.
void FreeParkedSlot(DatabaseId database) noexcept;

// Sets the applier's latch, or asks the launcher for an applier.
void WakeApplierOf(DatabaseSlot* slot) noexcept;
void WakeLauncher() noexcept;

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_WORKER_SLOTS_H_
