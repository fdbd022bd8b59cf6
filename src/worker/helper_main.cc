// A helper process: recomputes slices of a batch's keys for the applier that started it.
#include <optional>
#include <string_view>

#include "shared/pg/cache_stats.h"
#include "shared/pg/error.h"
#include "shared/pg/export.h"
#include "shared/pg/guard.h"
#include "shared/pg/key_planner.h"
#include "shared/pg/spi.h"
#include "shared/status_macros.h"
#include "worker/helper_segment.h"
#include "worker/helper_task.h"
#include "worker/key_statement.h"
#include "worker/row_yield.h"
#include "worker/statement_cache.h"

#include "shared/pg/postgres_begin.h"
#include <access/htup_details.h>
#include <access/parallel.h>
#include <executor/tuptable.h>
#include <pgstat.h>
#include <storage/dsm.h>
#include <storage/proc.h>
#include <storage/shm_mq.h>
#include <storage/shm_toc.h>
#include <tcop/dest.h>
#include <utils/backend_status.h>
#include "shared/pg/postgres_end.h"

TVIEWS_EXPORT void tviews_helper_main(dsm_segment* segment, shm_toc* toc);

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

void Start(DestReceiver*, int, TupleDesc) {}
void Stop(DestReceiver*) {}

Sender MakeSender(dsm_segment* segment, shm_toc* toc) {
  Sender sender{};
  sender.receiver.receiveSlot = SendRow;
  sender.receiver.rStartup = Start;
  sender.receiver.rShutdown = Stop;
  sender.receiver.rDestroy = Stop;
  sender.receiver.mydest = DestNone;
  auto* const queues = static_cast<char*>(shm_toc_lookup(toc, kQueuesKey, false));
  auto* const queue = reinterpret_cast<shm_mq*>(queues + ParallelWorkerNumber * kQueueSize);
  shm_mq_set_sender(queue, MyProc);
  sender.queue = shm_mq_attach(queue, segment, nullptr);
  return sender;
}

absl::Status Help(dsm_segment* segment, shm_toc* toc) {
  Sender sender;
  HelperProgress* progress = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    pgstat_report_activity(STATE_RUNNING, "pg_tviews helper");
    sender = MakeSender(segment, toc);
    progress = static_cast<HelperProgress*>(shm_toc_lookup(toc, kTaskKey, false));
  }));
  const std::optional<HelperTask> task =
      DecodeHelperTask(std::string_view(progress->task(), progress->task_size));
  if (!task.has_value()) return absl::InternalError("a helper was given an unreadable task");
  pg::cache_stats::SetProcess(pg::Process::kHelper);
  const pg::KeyPlanning planning;
  StatementCache statements;
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    for (;;) {
      const std::uint32_t slice = progress->TakeSlice();
      if (slice >= progress->slices) return absl::OkStatus();
      TVIEWS_RETURN_IF_ERROR(RunKeys(task->tview, SliceOf(task->keys, slice, progress->slices),
                                     task->shape, &statements, &sender.receiver));
      if (sender.is_detached) return absl::OkStatus();
      progress->finished.Add(1);
    }
  }));
  pg::cache_stats::Flush();
  return pg::Call([&] { shm_mq_detach(sender.queue); });
}

}  // namespace
}  // namespace tviews::worker

void tviews_helper_main(dsm_segment* segment, shm_toc* toc) {
  tviews::pg::Enter<bool>([segment, toc]() -> absl::StatusOr<bool> {
    TVIEWS_RETURN_IF_ERROR(tviews::worker::Help(segment, toc));
    return true;
  });
}
