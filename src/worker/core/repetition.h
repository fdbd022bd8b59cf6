// What follows from the end of a batch: rest, or the same again, when and how.
//
// Layer:   core
// Sharing: private to the applier
// Errors:  cannot fail
//
//   committed ----------------------------------> kRest
//   catalogs moved, for the first time ---------> kAtOnce: a newer snapshot is all it needs
//   a lock in the way --------------------------> kAwaitLock
//   a TVIEW is left aside for it ---------------> kBackOff, from the beginning: it is another batch
//   an error of the data, for the first time ---> kApart: as BatchMode::kApart says
//   anything else, or again --------------------> kBackOff: at once, then after growing pauses
//
// The clock is the caller's, in microseconds.

#ifndef PG_TVIEWS_WORKER_CORE_REPETITION_H_
#define PG_TVIEWS_WORKER_CORE_REPETITION_H_

#include <cstdint>

#include "shared/types.h"
#include "worker/core/back_off.h"
#include "worker/core/ending.h"

namespace tviews::worker {

enum class BatchMode : std::uint8_t {
  kTogether,  // in one piece: what fails ends the batch
  kApart,     // each TVIEW in a subtransaction, so that the one that fails is known, and its keys
};

enum class Next : std::uint8_t { kRest, kAtOnce, kAwaitLock, kApart, kBackOff };

class Repetition {
 public:
  struct Step {
    Next next = Next::kRest;
    bool is_logged = false;  // once for what passes, always for what does not
  };
  // `leaves_aside`: the next one is without the TVIEW that this one failed for.
  Step After(Ending ending, Timestamp now, bool leaves_aside = false);

  // True until a batch has succeeded: one is due at until().
  bool is_due() const { return is_due_; }
  Timestamp until() const { return back_off_.until(); }
  // Of the next one.
  BatchMode mode() const { return mode_; }

 private:
  static constexpr Timestamp kFirstPause = 20000;
  static constexpr Timestamp kLongestPause = 1000000;
  static constexpr int kToldAfter = 5;

  bool is_due_ = true;
  BatchMode mode_ = BatchMode::kTogether;
  BackOff back_off_{{.first = kFirstPause, .longest = kLongestPause, .free = 1}};
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_REPETITION_H_
