// Background workers of pg_tviews, described and started.
//
// Layer:   pg
// Sharing: the server's table of workers
// Errors:  raises as the server does: to be called within pg::Call

#ifndef PG_TVIEWS_SHARED_PG_COMMON_START_WORKER_H_
#define PG_TVIEWS_SHARED_PG_COMMON_START_WORKER_H_

#include <cstddef>
#include <cstdint>

struct BackgroundWorker;
struct BackgroundWorkerHandle;

namespace tviews::pg {

struct WorkerDescription {
  const char* name;      // as it is seen: "pg_tviews applier"
  const char* function;  // of this library
  std::uintptr_t argument = 0;
  int number = 0;                   // in bgw_extra
  bool is_parallel = false;         // counts against max_parallel_workers
  bool works_on_a_standby = false;  // starts before recovery is over
};

// Connected to a database, and not started again when it has ended.
void Describe(const WorkerDescription& description, BackgroundWorker* worker);

// Null if no worker is free. This process is told of its start and its end,
// and frees the handle (AwaitWorkerEnd does).
BackgroundWorkerHandle* StartWorker(const WorkerDescription& description);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_START_WORKER_H_
