// How long to wait before something that has failed is tried again: pauses that double.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail
//
// The clock is the caller's: every question takes the time that it is now.

#ifndef PG_TVIEWS_WORKER_CORE_BACK_OFF_H_
#define PG_TVIEWS_WORKER_CORE_BACK_OFF_H_

#include <algorithm>

#include "shared/types.h"

namespace tviews::worker {

class BackOff {
 public:
  struct Pauses {
    Timestamp first = 0;    // microseconds, like all of these
    Timestamp longest = 0;  // no pause is longer
    int free = 0;           // so many failures are answered without a pause
  };

  constexpr explicit BackOff(Pauses pauses) : pauses_(pauses) {}

  // It failed at `now`: the next try is after a pause that is twice as long as the last one, and
  // `at_least` so long.
  void NoteFailure(Timestamp now, Timestamp at_least = 0) {
    if (failures_++ >= pauses_.free) {
      pause_ = std::clamp(std::max(pause_ * 2, at_least), pauses_.first, pauses_.longest);
    }
    until_ = now + pause_;
  }

  // Nothing is tried before `time`, for a reason that is no failure of its own.
  void WaitUntil(Timestamp time) { until_ = time; }

  // It succeeded, or what it depends on has changed: no pause, and the next one is the first again.
  void Reset() { *this = BackOff(pauses_); }

  int failures() const { return failures_; }  // since the last Reset
  Timestamp until() const { return until_; }  // 0: at once
  bool IsOver(Timestamp now) const { return until_ <= now; }

 private:
  Pauses pauses_;
  int failures_ = 0;
  Timestamp pause_ = 0;
  Timestamp until_ = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_BACK_OFF_H_
