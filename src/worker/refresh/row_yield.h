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
//
// Writers need the CPU for a fraction of a millisecond. Where a turn of the others takes longer,
// they compute without a pause too, and a worker that went to the end of their queue after every
// few rows would hardly run: so it keeps its place for some time then.

#ifndef PG_TVIEWS_WORKER_REFRESH_ROW_YIELD_H_
#define PG_TVIEWS_WORKER_REFRESH_ROW_YIELD_H_

#include <sched.h>

#include <chrono>

namespace tviews::worker {

class RowYield {
 public:
  // To be called after each row. With nobody else to run it costs less than a microsecond per call
  // of the system, of which there is one for every few rows.
  void AfterRow() noexcept {
    if (++rows_ % kRowsPerTurn != 0) return;
    const Clock::time_point before = Clock::now();
    if (before < stays_until_) return;
    sched_yield();
    const Clock::time_point after = Clock::now();
    const Clock::duration took = after - before;
    if (took >= kLongTurn) stays_until_ = after + kTurnsToStay * took;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr unsigned kRowsPerTurn = 3;
  static constexpr Clock::duration kLongTurn = std::chrono::milliseconds(2);
  static constexpr int kTurnsToStay = 8;

  unsigned rows_ = 0;
  Clock::time_point stays_until_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_ROW_YIELD_H_
