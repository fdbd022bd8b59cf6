// What shared memory holds for one database with TVIEWs, or for a lane of it, and the table of
// these slots.
//
// Layer:   pg
// Sharing: shared memory
// Errors:  cannot fail
//
// clang-format off
// field                   written by            read by               under
// SlotTable.unslotted     writers               appliers              atomic
// SlotTable.quiet_        everybody             monitoring            atomic
//   failures
// SlotTable.launcher      launcher              everybody             atomic
// SlotTable.clock_due     who frees a slot, the launcher              table lock to lower; atomic
//                           launcher
// database, generation    who claims or frees   everybody             table lock to write; atomic
// reserved_*              who frees             who claims            table lock
// lane                    who claims            everybody             table lock; its applier reads
//                                                                     it without
// applier, applier_pid    the applier           everybody             atomic
// needs_applier           everybody             launcher              atomic
// ring                    writers, the applier  both, monitoring      queue_lock
// counters.overflow       writers               the applier           atomic
// counters.clean,         the applier           the applier, readers  atomic
//   clean_unslotted, kept
// counters.requested      readers               the applier           atomic
// counters.served         the applier           readers               atomic
// is_closing              the applier           writers               queue_lock
// paused                  sessions              everybody             queue_lock to write; the
//                                                                     applier reads under it
// frontier_*, behind,     the applier           readers               frontier_lock
//   busy*
// behind_count, given_up  the applier           everybody             frontier_lock to write; atomic
// clock_due               the applier           readers, monitoring   atomic
// culprit                 the applier           the next applier      atomic
// requests                sessions, the applier both                  queue_lock
// hurry                   writers, the main     the slot's applier    atomic
//                           applier
// activity                the applier           monitoring            atomics
// clang-format on
//
// The slot of a lane is one like the database's, in the same table, behind all of those. Its ring
// stays empty: its applier scans the outbox, and is told to by its overflow counters (LaneOutbox).
//
// A slot is freed only when no entry, no count and no request of it is in flight (ATTACKS B10). A
// busy one is first closed: writers count themselves as without a slot until the ring is empty.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_DATABASE_SLOT_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_DATABASE_SLOT_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shared/lane.h"
#include "shared/pg/shmem/lock.h"
#include "shared/queue_state.h"
#include "shared/shared_counter.h"
#include "shared/shared_field.h"
#include "shared/types.h"

namespace tviews::pg {

enum class ApplierState : std::int32_t { kNone, kIdle, kApplying, kBackingOff };

// So many TVIEWs are named as reading one that is being refreshed; if there are more, all count.
inline constexpr int kNeededBy = 16;

// What the applier is doing, for monitoring.
struct ApplierActivity {
  SharedNumber state;        // ApplierState
  Shared<RelationId> tview;  // being refreshed; 0 between TVIEWs
  SharedCounter
      keys_total;           // of the current TVIEW; 0, or an estimate, if it is compared as a whole
  SharedFlag is_full;       // it is compared as a whole
  SharedFlag is_searching;  // its affected keys are being looked for
  // Those that read it, directly or through others; -1: more than have a place.
  SharedNumber needed_by_count;
  Shared<RelationId> needed_by[kNeededBy];
  Shared<Timestamp> tview_started;
  SharedCounter keys_done;
  Shared<Timestamp> batch_started;
  SharedCounter batches;
  SharedCounter records;
  SharedCounter rows_written;
  SharedCounter rows_unchanged;
  SharedCounter full_refreshes;
  SharedCounter scans;    // batches that read the outbox
  SharedCounter retries;  // batches given up and repeated
  SharedCounter starts;   // of appliers for this slot
  SharedCounter walked;   // position up to which the current batch has read the ring
  Shared<Timestamp> last_batch_at;
  SharedCounter last_batch_us;
  SharedCounter last_batch_records;
  SharedCounter last_batch_rows;  // written
};

// A session's request to compare a TVIEW with its query now, and the answer.
struct RefreshRequest {
  // kRunning: the batch that has taken it has come to it. kAbandoned: taken by the applier, but its
  // session has stopped waiting.
  enum State : std::uint32_t { kFree, kWaiting, kTaken, kRunning, kDone, kFailed, kAbandoned };
  std::uint32_t state;
  RoleId role;  // that waits for it
  RelationId tview;
  std::uint64_t inserted;
  std::uint64_t updated;
  std::uint64_t deleted;
  std::uint64_t unchanged;
  char sqlstate[6];
  char error[506];
};

inline constexpr int kRefreshRequests = 64;
inline constexpr int kRefreshRequestsOfRole = 8;  // one role leaves places for others

// So many TVIEWs that are behind the frontier have a place; if there are more, all count as behind.
inline constexpr int kBehindPlaces = 64;

// A lock that the applier has waited for in vain, or may lack to adopt a TVIEW.
struct BusyLock {
  RelationId relation;
  std::int32_t mode;
};
inline constexpr int kBusyPlaces = 64;  // those beyond are known to the applier only

// The TVIEW during whose refresh an applier ended; a later applier has to know.
struct Culprit {
  Shared<RelationId> tview;  // 0: none
  SharedNumber ends;         // of appliers, one after the other
  SharedFlag is_deaf;  // the last one had to go: the refresh did not end when it was cancelled
};

// SlotTable.lock of the one table: what guards the places themselves.
SharedLock& SlotTableLock();

struct DatabaseSlot {
  Shared<DatabaseId> database;  // 0: free
  SharedFlag generation;
  char lane[kLaneRoom] TVIEWS_SHARED(handed_over);

  SharedNumber applier;      // index of its PGPROC; -1: none
  SharedNumber applier_pid;  // 0: none
  SharedFlag needs_applier;
  // A free slot: not for this database before that time.
  DatabaseId reserved_from ABSL_GUARDED_BY(SlotTableLock());
  Timestamp reserved_until ABSL_GUARDED_BY(SlotTableLock());
  Shared<Timestamp> parked_until;  // no applier before; 0: at once

  SharedLock queue_lock TVIEWS_SHARED(own_locking);
  void* ring TVIEWS_SHARED(set_at_start);  // the pointer; for its bytes see record_ring.h

  QueueCounters counters;

  SharedFlag paused;  // no batch begins; the slot is not freed
  // Of a lane: there may be news that the main one hands over late. Of the main one: somebody has
  // committed while its batch takes long.
  SharedFlag hurry;
  SharedFlag is_closing;  // nothing is published any more; see ReleaseSlot
  // ConditionVariable: signalled after every batch.
  alignas(8) unsigned char progress[16] TVIEWS_SHARED(own_locking);

  SharedLock frontier_lock TVIEWS_SHARED(own_locking);
  FullXid frontier_xmin ABSL_GUARDED_BY(frontier_lock);
  FullXid frontier_xmax ABSL_GUARDED_BY(frontier_lock);
  std::uint32_t frontier_count ABSL_GUARDED_BY(frontier_lock);
  // Room for SlotTable.max_in_progress.
  FullXid* frontier_in_progress TVIEWS_SHARED(set_at_start) ABSL_PT_GUARDED_BY(frontier_lock);
  SharedNumber behind_count;  // TVIEWs that the frontier does not hold for, and that are waited for
  SharedNumber given_up;      // others, that nobody waits for: they fail, or take too much
  // When the clock of a definition moves on next; 0: of none, as far as is known.
  Shared<Timestamp> clock_due;
  RelationId behind[kBehindPlaces] ABSL_GUARDED_BY(frontier_lock);
  std::int32_t busy_count ABSL_GUARDED_BY(frontier_lock);
  BusyLock busy[kBusyPlaces] ABSL_GUARDED_BY(frontier_lock);

  RefreshRequest requests[kRefreshRequests] ABSL_GUARDED_BY(queue_lock);
  ApplierActivity activity;
  Culprit culprit;
};

struct SlotTable {
  SharedLock lock TVIEWS_SHARED(own_locking);
  std::int32_t slot_count TVIEWS_SHARED(set_at_start);  // of databases
  std::int32_t lane_count TVIEWS_SHARED(set_at_start);  // of lanes, which follow
  std::uint32_t max_in_progress
      TVIEWS_SHARED(set_at_start);                        // most transactions a snapshot can list
  std::size_t ring_capacity TVIEWS_SHARED(set_at_start);  // bytes, per slot
  OverflowCounters unslotted;
  SharedNumber launcher;  // index of its PGPROC; -1: none
  SharedNumber launcher_pid;
  SharedCounter launches_failed;     // no background worker to be had
  SharedCounter visits;              // raised to have the launcher visit every database
  SharedCounter new_visits;          // raised to have it visit those it has not seen
  SharedCounter freed;               // slots given back
  SharedCounter quiet_failures;      // exceptions that EnterQuietly dropped
  Shared<Timestamp> turned_away_at;  // when a database last found no slot or no worker
  // The first moment that a definition waits for in a database without a slot; 0: none is known.
  Shared<Timestamp> clock_due;
  DatabaseSlot slots[1] TVIEWS_SHARED(own_locking);  // slot_count and lane_count of them

  std::int32_t all() const { return slot_count + lane_count; }
};

static_assert(std::is_standard_layout_v<DatabaseSlot>);
static_assert(std::is_trivially_copyable_v<DatabaseSlot>);
static_assert(std::is_standard_layout_v<SlotTable>);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_DATABASE_SLOT_H_
