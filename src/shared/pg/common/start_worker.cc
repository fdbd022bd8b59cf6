#include "shared/pg/common/start_worker.h"

#include <cstring>

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <postmaster/bgworker.h>
#include <utils/memutils.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

void Describe(const WorkerDescription& description, BackgroundWorker* worker) {
  std::memset(worker, 0, sizeof(*worker));
  worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  if (description.is_parallel) worker->bgw_flags |= BGWORKER_CLASS_PARALLEL;
  worker->bgw_start_time = description.works_on_a_standby ? BgWorkerStart_ConsistentState
                                                          : BgWorkerStart_RecoveryFinished;
  worker->bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(worker->bgw_library_name, "pg_tviews", sizeof(worker->bgw_library_name));
  strlcpy(worker->bgw_function_name, description.function, sizeof(worker->bgw_function_name));
  strlcpy(worker->bgw_name, description.name, BGW_MAXLEN);
  strlcpy(worker->bgw_type, description.name, BGW_MAXLEN);
  worker->bgw_main_arg = description.argument;
  std::memcpy(worker->bgw_extra, &description.number, sizeof(description.number));
}

BackgroundWorkerHandle* StartWorker(const WorkerDescription& description) {
  BackgroundWorker worker;
  Describe(description, &worker);
  worker.bgw_notify_pid = MyProcPid;
  BackgroundWorkerHandle* handle = nullptr;
  // Also who waits for its end in a rollback has it still.
  MemoryContext const previous = MemoryContextSwitchTo(TopMemoryContext);
  const bool is_started = RegisterDynamicBackgroundWorker(&worker, &handle);
  MemoryContextSwitchTo(previous);
  return is_started ? handle : nullptr;
}

}  // namespace tviews::pg
