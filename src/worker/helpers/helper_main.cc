// A helper process: recomputes slices of a batch's keys for the applier that started it.
#include <cstring>
#include <optional>
#include <string_view>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/receiver.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_code.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/status_macros.h"
#include "worker/batch/pinned_settings.h"
#include "worker/helpers/helper_segment.h"
#include "worker/helpers/helper_task.h"
#include "worker/refresh/key_statement.h"
#include "worker/refresh/memory_limit.h"
#include "worker/refresh/row_yield.h"
#include "worker/refresh/statement_cache.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <executor/tuptable.h>
#include <libpq/pqsignal.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <storage/dsm.h>
#include <storage/ipc.h>
#include <storage/proc.h>
#include <storage/shm_mq.h>
#include <storage/shm_toc.h>
#include <tcop/dest.h>
#include <tcop/tcopprot.h>
#include <utils/backend_status.h>
#include <utils/guc.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

TVIEWS_EXPORT void tviews_helper_main(Datum segment);

namespace tviews::worker {
namespace {

// Sends rows to the applier, over several statements.
struct Sender {
  DestReceiver receiver;  // first
  shm_mq_handle* queue;
  bool is_detached;  // the applier has gone, which ends this process
  RowYield yield;
};

bool SendRow(TupleTableSlot* row, DestReceiver* self) {
  Sender* const sender = reinterpret_cast<Sender*>(self);
  bool should_free = false;
  MinimalTuple const tuple = ExecFetchSlotMinimalTuple(row, &should_free);
  const shm_mq_result result = shm_mq_send(sender->queue, tuple->t_len, tuple, false, false);
  if (should_free) pfree(tuple);
  sender->is_detached = result != SHM_MQ_SUCCESS;
  sender->yield.AfterRow();
  return !sender->is_detached;
}

Sender MakeSender(dsm_segment* segment, shm_toc* toc) {
  Sender sender{};
  pg::InitializeReceiver(&sender.receiver, SendRow);
  int number;
  memcpy(&number, MyBgworkerEntry->bgw_extra, sizeof(number));
  auto* const queues = static_cast<char*>(shm_toc_lookup(toc, kQueuesKey, false));
  auto* const queue = reinterpret_cast<shm_mq*>(queues + number * kQueueSize);
  shm_mq_set_sender(queue, MyProc);
  sender.queue = shm_mq_attach(queue, segment, nullptr);
  return sender;
}

// The segment, and what the applier has put into it.
struct Connection {
  shm_toc* toc;
  HelperShared* shared;
  Sender sender;
};

// A session of the applier's database, in the applier's lock group: neither waits for a lock that
// somebody asks for in vain because of the other. False: the applier has gone.
bool Connect(dsm_handle handle, Connection* connection) {
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  dsm_segment* const segment = dsm_attach(handle);
  if (segment == nullptr) return false;
  connection->toc = shm_toc_attach(kSegmentMagic, dsm_segment_address(segment));
  if (connection->toc == nullptr) return false;
  connection->shared =
      static_cast<HelperShared*>(shm_toc_lookup(connection->toc, kSharedKey, false));
  connection->sender = MakeSender(segment, connection->toc);
  const HelperShared& shared = *connection->shared;
  if (!BecomeLockGroupMember(shared.applier, shared.applier_pid)) return false;
  BackgroundWorkerInitializeConnectionByOid(shared.database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
  pg::WatchUserCode();
  PinSettings();
  SetConfigOption("application_name", "pg_tviews helper", PGC_USERSET, PGC_S_SESSION);
  pgstat_report_activity(STATE_RUNNING, "pg_tviews helper");
  return true;
}

// Makes the applier's snapshot the one of this transaction.
void ImportSnapshot(const Connection& connection) {
  auto* const bytes = static_cast<char*>(shm_toc_lookup(connection.toc, kSnapshotKey, false));
  RestoreTransactionSnapshot(RestoreSnapshot(bytes), connection.shared->applier);
  PushActiveSnapshot(GetTransactionSnapshot());
}

absl::Status Help(Connection* connection) {
  HelperShared* const shared = connection->shared;
  TVIEWS_ASSIGN_OR_RETURN(
      const char* const bytes, pg::CallFor([&]() -> const char* {
        ImportSnapshot(*connection);
        return static_cast<char*>(shm_toc_lookup(connection->toc, kTaskKey, false));
      }));
  const std::optional<HelperTask> task =
      DecodeHelperTask(std::string_view(bytes, shared->task_size));
  if (!task.has_value()) return absl::InternalError("a helper was given an unreadable task");
  const pg::FrontierTimeScope time(shared->frontier_time);
  const pg::KeyPlanning planning;
  const pg::PageCostsOfBatch page_costs;
  StatementCache statements;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope, pg::UserScope::AsDefinitionOwner(
                                                         task->tview.owner, task->tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    for (;;) {
      const std::uint32_t slice = shared->TakeSlice();
      if (slice >= shared->slices) return absl::OkStatus();
      TVIEWS_RETURN_IF_ERROR(RunKeys(task->tview, SliceOf(task->keys, slice, shared->slices),
                                     task->shape, &statements, &connection->sender.receiver));
      if (connection->sender.is_detached) return absl::OkStatus();
      shared->finished.Add(1);
    }
  }));
  return pg::Call([] { PopActiveSnapshot(); });
}

// Exit code.
absl::StatusOr<int> Main(dsm_handle handle) {
  pg::BecomeWorker();
  Connection connection{};
  TVIEWS_ASSIGN_OR_RETURN(const bool is_connected,
                          pg::CallFor([&] { return Connect(handle, &connection); }));
  if (!is_connected) return 0;
  pg::cache_stats::SetProcess(pg::Process::kHelper);
  const MemoryLimit limit(DataSize().At(GetCurrentTimestamp()),
                          std::uint64_t{1024} * pg::settings::refresh_memory);
  const absl::Status status = pg::RunTransaction([&] { return Help(&connection); });
  HelperShared* const shared = connection.shared;
  if (!status.ok() && shared->failures.Add(1) == 1) {
    pg::Flatten(status, &shared->failure);
    shared->failure.parked = false;  // the error itself stays in this process
    shared->has_failure.Store(1);
  }
  pg::cache_stats::Flush();
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { shm_mq_detach(connection.sender.queue); }));
  return 0;
}

}  // namespace
}  // namespace tviews::worker

void tviews_helper_main(Datum segment) {
  const int code =
      tviews::pg::Enter<int>([segment] { return tviews::worker::Main(DatumGetUInt32(segment)); });
  proc_exit(code);
}
