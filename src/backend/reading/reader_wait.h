// A wait of this session for TVIEWs, as others see it and as it is counted.
//
// Layer:   backend
// Sharing: shared memory: this session's note, statistics
// Errors:  Begin and Show may raise: inside pg::Call only; the rest cannot fail
//
// The note shows the wait in pg_tviews_waiting, and tells the applier whom it holds up
// (worker/batch/tview_work.h). Before PostgreSQL 17 an extension's wait events have no names, so a
// wait that lasts is written before the statement in pg_stat_activity.

#ifndef PG_TVIEWS_BACKEND_READING_READER_WAIT_H_
#define PG_TVIEWS_BACKEND_READING_READER_WAIT_H_

#include <cstdint>

#include "backend/reading/slot_wait.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/types.h"

namespace tviews::backend {

class ReaderWait {
 public:
  explicit ReaderWait(pg::DatabaseSlot* slot) : slot_(slot) {}
  ReaderWait(const ReaderWait&) = delete;
  ReaderWait& operator=(const ReaderWait&) = delete;
  // Counts it, however it ended, and shows the statement as it was.
  ~ReaderWait();

  // The session is about to sleep; it may say so again.
  void Begin(const Concerned& concerned);
  // It has slept for a while.
  void Show();

 private:
  pg::DatabaseSlot* slot_;
  bool has_begun_ = false;
  Timestamp began_at_ = 0;
  char* statement_ = nullptr;  // as pg_stat_activity showed it
  std::uint64_t query_id_ = 0;
};

// How long the session's statement has waited so far, in microseconds.
std::uint64_t WaitedInStatement();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_READER_WAIT_H_
