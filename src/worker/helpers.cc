#include "worker/helpers.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "shared/pg/guard.h"
#include "shared/pg/settings.h"
#include "shared/status_macros.h"
#include "worker/helper_segment.h"
#include "worker/helper_task.h"
#include "worker/key_statement.h"

#include "shared/pg/postgres_begin.h"
#include <access/parallel.h>
#include <access/xact.h>
#include <executor/tqueue.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <optimizer/optimizer.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <storage/shm_mq.h>
#include <storage/shm_toc.h>
#include <tcop/dest.h>
#include <utils/memutils.h>
#include <utils/tuplestore.h>
#include "shared/pg/postgres_end.h"

namespace tviews::worker {
namespace {

// Fewer keys per process than this do not pay for starting it.
constexpr std::size_t kKeysPerProcess = 5000;
constexpr int kMaxHelpers = 64;
// Slices per process: the faster ones take more of them.
constexpr std::size_t kSlicesPerProcess = 2;
// The applier empties the queues after so many rows of its own.
constexpr std::uint64_t kRowsBetweenDrains = 64;

// The applier's side of one use. Plain data in server memory; a DestReceiver for its own slices.
struct Group {
  DestReceiver receiver;  // first
  ParallelContext* context;
  HelperProgress* progress;
  TupleQueueReader* readers[kMaxHelpers];
  int open_readers;
  Tuplestorestate* rows;
  TupleDesc descriptor;
  TupleTableSlot* slot;
  std::uint64_t received;
};

// Keeps what helpers have sent so far. True if something came.
bool Drain(Group* group) {
  bool any = false;
  for (TupleQueueReader*& reader : group->readers) {
    while (reader != nullptr) {
      bool is_done = false;
      MinimalTuple const tuple = TupleQueueReaderNext(reader, true, &is_done);
      if (is_done) {
        DestroyTupleQueueReader(reader);
        reader = nullptr;
        --group->open_readers;
        any = true;
      }
      if (tuple == nullptr) break;
      ExecStoreMinimalTuple(tuple, group->slot, false);
      tuplestore_puttupleslot(group->rows, group->slot);
      any = true;
    }
  }
  return any;
}

bool ReceiveOwnRow(TupleTableSlot* row, DestReceiver* self) {
  Group* const group = reinterpret_cast<Group*>(self);
  tuplestore_puttupleslot(group->rows, row);
  if (++group->received % kRowsBetweenDrains == 0) Drain(group);
  return true;
}

void StartReceiving(DestReceiver* self, int, TupleDesc descriptor) {
  Group* const group = reinterpret_cast<Group*>(self);
  if (group->descriptor != nullptr) return;
  MemoryContext const previous = MemoryContextSwitchTo(GetMemoryChunkContext(group));
  group->descriptor = CreateTupleDescCopy(descriptor);
  group->slot = MakeSingleTupleTableSlot(group->descriptor, &TTSOpsMinimalTuple);
  MemoryContextSwitchTo(previous);
}

void StopReceiving(DestReceiver*) {}

Group* MakeGroup() {
  auto* const group = static_cast<Group*>(palloc0(sizeof(Group)));
  group->receiver.receiveSlot = ReceiveOwnRow;
  group->receiver.rStartup = StartReceiving;
  group->receiver.rShutdown = StopReceiving;
  group->receiver.rDestroy = StopReceiving;
  group->receiver.mydest = DestNone;
  group->rows =
      tuplestore_begin_heap(false, false, std::max(work_mem, pg::settings::batch_memory / 4));
  return group;
}

void FillSegment(Group* group, const char* task, std::size_t size, std::size_t slices) {
  shm_toc* const toc = group->context->toc;
  void* const place = shm_toc_allocate(toc, sizeof(HelperProgress) + size);
  group->progress = new (place) HelperProgress{};
  group->progress->next.Store(1);  // the applier begins with the first
  group->progress->slices = static_cast<std::uint32_t>(slices);
  group->progress->task_size = static_cast<std::uint32_t>(size);
  memcpy(group->progress->task(), task, size);
  shm_toc_insert(toc, kTaskKey, place);
}

// Starts the helpers and listens to them. False: there is none.
bool Launch(Group* group, int helpers, const char* task, std::size_t size, std::size_t slices) {
  EnterParallelMode();
  ParallelContext* const context =
      CreateParallelContext("pg_tviews", "tviews_helper_main", helpers);
  group->context = context;
  shm_toc_estimate_chunk(&context->estimator, sizeof(HelperProgress) + size);
  shm_toc_estimate_chunk(&context->estimator, mul_size(kQueueSize, helpers));
  shm_toc_estimate_keys(&context->estimator, 2);
  InitializeParallelDSM(context);
  if (context->nworkers > 0) {
    FillSegment(group, task, size, slices);
    auto* const queues =
        static_cast<char*>(shm_toc_allocate(context->toc, mul_size(kQueueSize, helpers)));
    for (int i = 0; i < helpers; ++i) {
      shm_mq_set_receiver(shm_mq_create(queues + i * kQueueSize, kQueueSize), MyProc);
    }
    shm_toc_insert(context->toc, kQueuesKey, queues);
    LaunchParallelWorkers(context);
    for (int i = 0; i < context->nworkers_launched; ++i) {
      auto* const queue = reinterpret_cast<shm_mq*>(queues + i * kQueueSize);
      group->readers[i] =
          CreateTupleQueueReader(shm_mq_attach(queue, context->seg, context->worker[i].bgwhandle));
      ++group->open_readers;
    }
  }
  if (group->open_readers > 0) {
    elog(DEBUG1, "pg_tviews: %d helpers recompute %zu slices", group->open_readers, slices);
    return true;
  }
  DestroyParallelContext(context);
  ExitParallelMode();
  tuplestore_end(group->rows);
  return false;
}

// Waits for the helpers' last rows and for their end, which reports what failed in them.
void Finish(Group* group) {
  while (group->open_readers > 0) {
    CHECK_FOR_INTERRUPTS();
    if (Drain(group)) continue;
    WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
  }
  WaitForParallelWorkersToFinish(group->context);
  const std::uint32_t finished = group->progress->finished.Load();
  const std::uint32_t slices = group->progress->slices;
  DestroyParallelContext(group->context);
  ExitParallelMode();
  if (finished != slices) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("a helper ended before its part of a batch was computed")));
  }
}

void HandOn(Group* group, _DestReceiver* destination) {
  destination->rStartup(destination, CMD_SELECT, group->descriptor);
  while (tuplestore_gettupleslot(group->rows, true, false, group->slot)) {
    CHECK_FOR_INTERRUPTS();
    destination->receiveSlot(group->slot, destination);
  }
  destination->rShutdown(destination);
  ExecDropSingleTupleTableSlot(group->slot);
  tuplestore_end(group->rows);
}

}  // namespace

int HelpersFor(std::size_t keys) {
  const auto processes = static_cast<int>(std::min<std::size_t>(keys / kKeysPerProcess, 1000));
  return std::clamp(processes - 1, 0, std::min(pg::settings::max_helpers, kMaxHelpers));
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
  TVIEWS_ASSIGN_OR_RETURN(Group* const group, pg::CallFor([] { return MakeGroup(); }));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_helpers, pg::CallFor([&] {
                            return Launch(group, helpers, task.data(), task.size(), slices);
                          }));
  if (!has_helpers) return false;
  for (std::size_t slice = 0; slice < slices; slice = group->progress->TakeSlice()) {
    TVIEWS_RETURN_IF_ERROR(
        RunKeys(tview, SliceOf(keys, slice, slices), shape, statements, &group->receiver));
    group->progress->finished.Add(1);
  }
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { Finish(group); }));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { HandOn(group, destination); }));
  return true;
}

}  // namespace tviews::worker
