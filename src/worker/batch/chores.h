// What an applier does beside batches, in small transactions of its own.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  cannot fail: a chore that fails is logged and due again later
//
// Chores keep no applier alive: one without batches for pg_tviews.applier_idle_timeout ends, and
// the next one goes on with them.

#ifndef PG_TVIEWS_WORKER_BATCH_CHORES_H_
#define PG_TVIEWS_WORKER_BATCH_CHORES_H_

#include "shared/types.h"

namespace tviews::worker {

class Chores {
 public:
  // Does what is due, one step of each. REQUIRES: no transaction is open.
  void RunDue();

  // Milliseconds until something is due.
  long NextDueMs() const;

 private:
  Timestamp RetentionDue() const;

  Timestamp retention_done_ = 0;
  bool more_to_remove_ = false;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_CHORES_H_
