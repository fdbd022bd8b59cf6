#include "shared/pg/common/worker_process.h"

#include "shared/pg/boundary/error.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/parallel.h>
#include <miscadmin.h>
#include <postmaster/bgworker.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

bool is_worker = false;

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

// The server's macros for this change a volatile in a way that C++20 deprecates.
void AwaitWorkerEnd(BackgroundWorkerHandle* worker) {
  InterruptHoldoffCount = InterruptHoldoffCount + 1;
  WaitForBackgroundWorkerShutdown(worker);
  InterruptHoldoffCount = InterruptHoldoffCount - 1;
}

}  // namespace tviews::pg
