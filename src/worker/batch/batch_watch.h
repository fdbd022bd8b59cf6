// What interrupts a batch from outside: its time, sessions that wait for its locks, an operator.
//
// Layer:   worker
// Sharing: private to the applier; reads the server's process table, without locks
// Errors:  cannot fail; an interrupted batch fails with 57014, and EndingOf says why
//
// A definition may do anything: loop for ever, sleep, swallow the error that cancels it. So a timer
// looks every tenth of a second, whatever the batch does:
//
// (1) Where a TVIEW's time is up, or an operator has cancelled it (pg_cancel_backend), the query is
//     cancelled, again at every tick until it ends. After five seconds of that the process ends,
//     which nobody can catch; the slot names the TVIEW, so that the next applier leaves it aside.
// (2) Where a session waits for a lock that the batch holds, or to drop, rename or copy the
//     database, at two ticks in a row, the batch gives
//     way: it is cancelled in the same way, and begun again when the session has had its turn. Of
//     a query that does not end then, the process ends after eight tenths of a second.
//
// The handler reads the waiting processes as they stand, without locks, which it could not take
// where it runs. What it misreads costs a repetition at worst.

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_WATCH_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_WATCH_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"
#include "worker/core/ending.h"

namespace tviews::worker {

// Once, when the process is connected: within pg::Call.
void InstallBatchWatch(pg::DatabaseSlot* slot);

// From the locks that a batch has taken, sorted, to its end, whatever that is. What remains of a
// cancellation is taken back with it: it was for this batch.
class BatchWatch {
 public:
  // What interrupted the batch before is forgotten.
  BatchWatch();
  // Begins to watch. To be called within pg::Call.
  void Begin(std::vector<pg::BusyLock> locks);
  // Of the main lane, where there are others: these look for news themselves if this takes long. To
  // be called within pg::Call.
  static void HurryLanesWhenLate();
  // Ends it, if it has begun. Why the batch was interrupted stays known until the next begins.
  void End() noexcept;
  ~BatchWatch() { End(); }

  // `tview` is refreshed, for at most `limit_ms` (0: as long as it takes).
  static void BeginTview(RelationId tview, std::int64_t limit_ms, bool gives_way) noexcept;
  // A time limit that has passed since the TVIEW was done is forgotten.
  static void EndTview() noexcept;

  // A piece of work for `tview` with a time limit of its own, part of a refresh or beside all of
  // them. That of the refresh stands still meanwhile.
  class Piece {
   public:
    Piece(RelationId tview, std::int64_t limit_ms) noexcept;
    // Ends it, and says how it ended. A limit that has passed is forgotten with that.
    Ending End(const absl::Status& status) noexcept;

   private:
    const Timestamp begin_;
    const RelationId outer_tview_;
    const Timestamp outer_deadline_;
  };

  // The TVIEW that is being refreshed; 0: none.
  static RelationId Current() noexcept;

  // How what has failed with `status` ended: by an interruption, or by an error of that kind.
  static Ending EndingOf(const absl::Status& status);
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_WATCH_H_
