// What is special about a process that is a worker of pg_tviews.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  AcceptInterrupts raises as the server does: to be called within pg::Call
//
// A worker that waits for the appliers waits for itself: whatever waits asks IsWorker() first.

#ifndef PG_TVIEWS_SHARED_PG_COMMON_WORKER_PROCESS_H_
#define PG_TVIEWS_SHARED_PG_COMMON_WORKER_PROCESS_H_

#include "absl/status/status.h"

struct BackgroundWorkerHandle;

namespace tviews::pg {

// This process is one from now on.
void BecomeWorker() noexcept;
// True also in parallel workers of a query, whose leader may be one.
bool IsWorker() noexcept;

// 55000 in a worker: a definition calls a function that waits for its own refresh.
absl::Status CheckMayWait();

// CHECK_FOR_INTERRUPTS that looks at everything, also where nobody has left a sign. Barriers of the
// server (DROP DATABASE, DROP TABLESPACE) wait for every process to take note, and the sign of one
// can be lost: an error that another interrupt raises leaves it undone, and one that is sent while
// the process signs on finds nobody. REQUIRES: within pg::Call, between the reset of the latch and
// the next wait.
void AcceptInterrupts();

// Waits, deaf to interrupts, for the end of a worker that has been told to end, and frees its
// handle. Not for ever: a function in C that looks for no interrupt would hold up the rollback of
// whoever has given it up. What has not ended within a second is left to itself, and waited for
// once more when this process ends, for a few seconds: not every minor version of the server gives
// back the place of a process that is the last of its group and not its leader.
void AwaitWorkerEnd(BackgroundWorkerHandle* worker);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_WORKER_PROCESS_H_
