#include "worker/helpers/helpers.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <thread>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/receiver.h"
#include "shared/pg/common/segment.h"
#include "shared/pg/common/start_worker.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/pg/server/settings.h"
#include "shared/status_macros.h"
#include "worker/helpers/helper_segment.h"
#include "worker/helpers/helper_task.h"
#include "worker/refresh/key_statement.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/tupdesc.h>
#include <executor/tqueue.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <optimizer/optimizer.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <storage/dsm.h>
#include <storage/latch.h>
#include <storage/lock.h>
#include <storage/proc.h>
#include <storage/shm_mq.h>
#include <tcop/dest.h>
#include <utils/memutils.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Fewer keys per process than this do not pay for starting it.
constexpr std::size_t kKeysPerProcess = 5000;
constexpr int kMaxHelpers = 64;
// Slices per process: the faster ones take more of them, and the applier, who writes, takes fewer.
constexpr std::size_t kSlicesPerProcess = 3;
// The applier empties the queues after so many rows of its own. Helpers' rows come in the order of
// the keys, so that many together are found faster than one after the other.
constexpr std::uint64_t kRowsBetweenDrains = 256;

// The applier's side of one use. Plain data in server memory; a DestReceiver for its own slices.
struct Group {
  DestReceiver receiver;  // first
  _DestReceiver* destination;
  dsm_segment* segment;
  HelperShared* shared;
  BackgroundWorkerHandle* handles[kMaxHelpers];
  TupleQueueReader* readers[kMaxHelpers];
  int open_readers;
  TupleTableSlot* slot;  // of a helper's row
  std::uint64_t own_rows;
};

void RaiseFailure(Group* group) {
  if (group->shared->has_failure.Load() != 0) pg::Raise(group->shared->failure);
}

// Hands on what helpers have sent so far. True if something came.
bool Drain(Group* group) {
  bool any = false;
  for (TupleQueueReader*& reader : group->readers) {
    while (reader != nullptr) {
      CHECK_FOR_INTERRUPTS();
      bool is_done = false;
      MinimalTuple const tuple = TupleQueueReaderNext(reader, true, &is_done);
      if (is_done) {
        DestroyTupleQueueReader(reader);
        reader = nullptr;
        --group->open_readers;
        any = true;
        RaiseFailure(group);
      }
      if (tuple == nullptr) break;
      ExecStoreMinimalTuple(tuple, group->slot, false);
      group->destination->receiveSlot(group->slot, group->destination);
      any = true;
    }
  }
  return any;
}

bool ReceiveOwnRow(TupleTableSlot* row, DestReceiver* self) {
  Group* const group = reinterpret_cast<Group*>(self);
  group->destination->receiveSlot(row, group->destination);
  if (++group->own_rows % kRowsBetweenDrains == 0) Drain(group);
  return true;
}

// Every slice is a statement of its own; for the destination they are one.
void StartReceiving(DestReceiver* self, int operation, TupleDesc descriptor) {
  Group* const group = reinterpret_cast<Group*>(self);
  if (group->slot != nullptr) return;
  MemoryContext const previous = MemoryContextSwitchTo(GetMemoryChunkContext(group));
  group->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(descriptor), &TTSOpsMinimalTuple);
  MemoryContextSwitchTo(previous);
  group->destination->rStartup(group->destination, operation, group->slot->tts_tupleDescriptor);
}

Group* MakeGroup(_DestReceiver* destination) {
  auto* const group =
      static_cast<Group*>(MemoryContextAllocZero(TopTransactionContext, sizeof(Group)));
  pg::InitializeReceiver(&group->receiver, ReceiveOwnRow, StartReceiving);
  group->destination = destination;
  return group;
}

// Called where a failed batch is rolled back: a helper that sends nothing for long would go on, and
// hold its locks. No such call after Finish.
void EndHelpers(dsm_segment*, Datum argument) {
  const auto& handles = reinterpret_cast<Group*>(DatumGetPointer(argument))->handles;
  for (BackgroundWorkerHandle* const handle : handles) {
    if (handle != nullptr) TerminateBackgroundWorker(handle);
  }
  for (BackgroundWorkerHandle* const handle : handles) {
    if (handle != nullptr) pg::AwaitWorkerEnd(handle);
  }
}

char* FillSegment(Group* group, int helpers, const char* task, std::size_t task_size,
                  std::size_t slices) {
  SnapshotData* const snapshot = GetActiveSnapshot();
  const std::size_t snapshot_size = EstimateSnapshotSpace(snapshot);
  const std::size_t queues_size = mul_size(kQueueSize, helpers);
  const pg::Segment segment =
      pg::MakeSegment(kSegmentMagic, {sizeof(HelperShared), task_size, snapshot_size, queues_size});
  group->segment = segment.memory;
  group->shared = new (pg::TakePiece(segment, kSharedKey, sizeof(HelperShared))) HelperShared{};
  group->shared->next.Store(1);  // the applier begins with the first
  group->shared->slices = static_cast<std::uint32_t>(slices);
  group->shared->task_size = static_cast<std::uint32_t>(task_size);
  group->shared->database = MyDatabaseId;
  group->shared->applier = MyProc;
  group->shared->applier_pid = MyProcPid;
  group->shared->frontier_time = pg::FrontierTime();
  memcpy(pg::TakePiece(segment, kTaskKey, task_size), task, task_size);
  SerializeSnapshot(snapshot, pg::TakePiece(segment, kSnapshotKey, snapshot_size));
  return pg::TakePiece(segment, kQueuesKey, queues_size);
}

// Starts the helpers and listens to them. False: there is none.
bool Launch(Group* group, int helpers, const char* task, std::size_t task_size,
            std::size_t slices) {
  MemoryContext const previous = MemoryContextSwitchTo(GetMemoryChunkContext(group));
  BecomeLockGroupLeader();
  char* const queues = FillSegment(group, helpers, task, task_size, slices);
  on_dsm_detach(group->segment, EndHelpers, PointerGetDatum(group));
  for (int i = 0; i < helpers; ++i) {
    shm_mq* const queue = shm_mq_create(queues + i * kQueueSize, kQueueSize);
    shm_mq_set_receiver(queue, MyProc);
    group->handles[i] =
        pg::StartWorker({.name = "pg_tviews helper",
                         .function = "tviews_helper_main",
                         .argument = UInt32GetDatum(dsm_segment_handle(group->segment)),
                         .number = i,
                         .is_parallel = true});
    if (group->handles[i] == nullptr) break;
    group->readers[i] =
        CreateTupleQueueReader(shm_mq_attach(queue, group->segment, group->handles[i]));
    ++group->open_readers;
  }
  MemoryContextSwitchTo(previous);
  if (group->open_readers > 0) {
    elog(DEBUG1, "pg_tviews: %d helpers recompute %zu slices", group->open_readers, slices);
    return true;
  }
  dsm_detach(group->segment);
  return false;
}

// Waits for the helpers' last rows.
void Finish(Group* group) {
  while (group->open_readers > 0) {
    CHECK_FOR_INTERRUPTS();
    if (Drain(group)) continue;
    WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    pg::AcceptInterrupts();
  }
  RaiseFailure(group);
  if (group->shared->finished.Load() != group->shared->slices) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("a helper ended before its part of a batch was computed")));
  }
  cancel_on_dsm_detach(group->segment, EndHelpers, PointerGetDatum(group));
  dsm_detach(group->segment);
  for (BackgroundWorkerHandle* const handle : group->handles) {
    if (handle != nullptr) pfree(handle);
  }
  group->destination->rShutdown(group->destination);
  ExecDropSingleTupleTableSlot(group->slot);
}

}  // namespace

int HelpersFor(std::size_t keys) {
  const auto processes = static_cast<int>(std::min<std::size_t>(keys / kKeysPerProcess, 1000));
  // Where processes outnumber the cores they only get in each other's way. 0: it is not known.
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  const int useful = cores > 0 ? cores - 1 : kMaxHelpers;
  return std::clamp(processes - 1, 0, std::min({pg::settings::max_helpers, useful, kMaxHelpers}));
}

bool IsWorthSharing(std::size_t keys, int helpers, double cost_alone, double cost_in_slice) {
  const auto count = static_cast<double>(keys);
  const double shared =
      count * (cost_in_slice / (helpers + 1) + parallel_tuple_cost) + helpers * parallel_setup_cost;
  return shared < count * cost_alone;
}

std::size_t SlicesFor(std::size_t keys, int helpers) {
  const std::size_t most = kSlicesPerProcess * (static_cast<std::size_t>(helpers) + 1);
  return std::max<std::size_t>(1, std::min(most, keys));
}

absl::StatusOr<bool> RunKeysWithHelpers(const TviewDefinition& tview,
                                        const std::vector<std::string>& keys, RefreshShape shape,
                                        int helpers, StatementCache* statements,
                                        _DestReceiver* destination) {
  const std::string task = EncodeHelperTask(tview, shape, keys);
  const std::size_t slices = SlicesFor(keys.size(), helpers);
  TVIEWS_ASSIGN_OR_RETURN(Group* const group,
                          pg::CallFor([destination] { return MakeGroup(destination); }));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_helpers, pg::CallFor([&] {
                            return Launch(group, helpers, task.data(), task.size(), slices);
                          }));
  if (!has_helpers) return false;
  for (std::size_t slice = 0; slice < slices; slice = group->shared->TakeSlice()) {
    TVIEWS_RETURN_IF_ERROR(
        RunKeys(tview, SliceOf(keys, slice, slices), shape, statements, &group->receiver));
    group->shared->finished.Add(1);
  }
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { Finish(group); }));
  return true;
}

}  // namespace tviews::worker
