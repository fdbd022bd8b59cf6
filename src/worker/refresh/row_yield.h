// Leaves the CPU to writers between two rows.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  cannot fail
//
// A writer sleeps at every commit, for its log to reach the disk, and holds up the next ones until
// it runs again. Where all cores are busy, a worker that computes without a pause would let it wait
// for milliseconds, as long as the system's scheduler lets a process run; a higher nice value does
// not shorten that. No lightweight lock is held between two rows, so nobody waits for a worker that
// has yielded.

#ifndef PG_TVIEWS_WORKER_REFRESH_ROW_YIELD_H_
#define PG_TVIEWS_WORKER_REFRESH_ROW_YIELD_H_

#include <sched.h>

namespace tviews::worker {

class RowYield {
 public:
  // To be called after each row. With nobody else to run it costs less than a microsecond per call
  // of the system, of which there is one for every few rows.
  void AfterRow() noexcept {
    if (++rows_ % kRowsPerTurn == 0) sched_yield();
  }

 private:
  static constexpr unsigned kRowsPerTurn = 3;
  unsigned rows_ = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_ROW_YIELD_H_
