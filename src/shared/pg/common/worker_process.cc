#include "shared/pg/common/worker_process.h"

#include "shared/pg/boundary/error.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/parallel.h>
#include <miscadmin.h>
#include <postmaster/bgworker.h>
#include <storage/ipc.h>
#include <storage/latch.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>
#include <utils/wait_event.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

bool is_worker = false;

constexpr TimestampTz kPatience = 1000000;
constexpr TimestampTz kPatienceAtExit = 5000000;
constexpr long kRecheckMs = 20;

// Workers that did not end when they were told to. Those beyond are forgotten.
constexpr int kDeafWorkers = 64;
BackgroundWorkerHandle* deaf_workers[kDeafWorkers];
bool awaits_at_exit = false;

// The server's macros for holding interrupts change a volatile in a way that C++20 deprecates.
bool HasEndedBefore(BackgroundWorkerHandle* worker, TimestampTz end) {
  InterruptHoldoffCount = InterruptHoldoffCount + 1;
  pid_t pid = 0;
  bool has_ended = false;
  for (;;) {
    has_ended = GetBackgroundWorkerPid(worker, &pid) == BGWH_STOPPED;
    if (has_ended || GetCurrentTimestamp() >= end) break;
    const int events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_POSTMASTER_DEATH,
                                 kRecheckMs, PG_WAIT_EXTENSION);
    if ((events & WL_POSTMASTER_DEATH) != 0) break;
    ResetLatch(MyLatch);
  }
  InterruptHoldoffCount = InterruptHoldoffCount - 1;
  return has_ended;
}

void AwaitDeafWorkers(int, Datum) {
  const TimestampTz end = GetCurrentTimestamp() + kPatienceAtExit;
  for (BackgroundWorkerHandle*& worker : deaf_workers) {
    if (worker != nullptr) HasEndedBefore(worker, end);
    worker = nullptr;
  }
}

}  // namespace

void BecomeWorker() noexcept { is_worker = true; }

bool IsWorker() noexcept { return is_worker || IsParallelWorker(); }

absl::Status CheckMayWait() {
  if (!IsWorker()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.message = "a refresh cannot wait for TVIEWs",
                    .detail = "The function was called in a worker, which would wait for itself.",
                    .hint = "Do not call functions of pg_tviews that wait in a TVIEW's definition.",
                    .sqlstate = "55000"});
}

void AcceptInterrupts() {
  ProcSignalBarrierPending = true;
  InterruptPending = true;
  CHECK_FOR_INTERRUPTS();
}

void AwaitWorkerEnd(BackgroundWorkerHandle* worker) {
  if (HasEndedBefore(worker, GetCurrentTimestamp() + kPatience)) {
    pfree(worker);
    return;
  }
  ereport(LOG, (errmsg("a pg_tviews worker does not end, and is left to itself"),
                errdetail("A function that it runs does not look for interrupts.")));
  for (BackgroundWorkerHandle*& place : deaf_workers) {
    if (place != nullptr) continue;
    place = worker;
    break;
  }
  if (!awaits_at_exit) before_shmem_exit(AwaitDeafWorkers, Datum{0});
  awaits_at_exit = true;
}

}  // namespace tviews::pg
