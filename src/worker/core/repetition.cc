#include "worker/core/repetition.h"

namespace tviews::worker {

Repetition::Step Repetition::After(Ending ending, Timestamp now, bool leaves_aside) {
  if (ending == Ending::kCommitted) {
    *this = Repetition();
    is_due_ = false;
    return {};
  }
  is_due_ = true;
  if (ending == Ending::kOutdated && back_off_.failures() == 0) {
    back_off_.NoteFailure(now);
    return {.next = Next::kAtOnce};
  }
  if (leaves_aside) {
    back_off_.Reset();
    return {.next = Next::kBackOff};
  }
  if (ending == Ending::kLockInTheWay) return {.next = Next::kAwaitLock};
  if (ending == Ending::kData && mode_ == BatchMode::kTogether) {
    mode_ = BatchMode::kApart;
    back_off_.Reset();
    return {.next = Next::kApart, .is_logged = true};
  }
  // Moved catalogs and lost races are ordinary; one line per episode says that something stays.
  const bool is_logged = ending == Ending::kData || back_off_.failures() == kToldAfter;
  back_off_.NoteFailure(now);
  return {.next = Next::kBackOff, .is_logged = is_logged};
}

}  // namespace tviews::worker
