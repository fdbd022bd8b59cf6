// What shared memory knows, as rows: the functions below the monitoring views.
//
// Layer:   backend
// Sharing: reads shared memory; the ring under its lock, counters as atomics
// Errors:  raise through pg::Enter

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "shared/change_record.h"
#include "shared/pg/database_slot.h"
#include "shared/pg/export.h"
#include "shared/pg/guard.h"
#include "shared/pg/shmem.h"
#include "shared/record_ring.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <funcapi.h>
#include <miscadmin.h>
#include <storage/procarray.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/timestamp.h>
#include <utils/tuplestore.h>
#include <utils/xid8.h>

PG_FUNCTION_INFO_V1(tviews_queue_entries);
PG_FUNCTION_INFO_V1(tviews_slots);
#include "shared/pg/postgres_end.h"

namespace pg = tviews::pg;

namespace {

using tviews::Frame;
using tviews::FrameState;
using tviews::RecordRing;

// A frame with its payload copied to `offset` of a buffer.
struct CopiedFrame {
  Frame frame;
  std::size_t offset;
};

// Copies the pending frames of a slot. All memory is taken before the lock.
void CopyFrames(pg::DatabaseSlot* slot, std::vector<CopiedFrame>* frames,
                std::vector<char>* payloads) {
  const std::size_t capacity = pg::Slots()->ring_capacity;
  frames->clear();
  frames->reserve(capacity / RecordRing::FrameSize(0) + 1);
  payloads->resize(capacity);
  std::size_t used = 0;
  pg::SharedHolder holder(slot->queue_lock);
  RecordRing ring(slot->ring);
  ring.ForEach(ring.tail(), [&](const Frame& frame) {
    if (frame.state != FrameState::kPending) return true;
    std::memcpy(payloads->data() + used, frame.content.payload.data(),
                frame.content.payload.size());
    frames->push_back({frame, used});
    used += frame.content.payload.size();
    return true;
  });
}

std::vector<Datum> RelationsOf(const CopiedFrame& copied, const std::vector<char>& payloads) {
  std::vector<Datum> relations;
  const std::string_view payload(payloads.data() + copied.offset,
                                 copied.frame.content.payload.size());
  const absl::StatusOr<tviews::ChangeRecord> record = tviews::ParseChangeRecord(payload);
  if (!record.ok()) return relations;
  for (const auto& [relation, delta] : record->deltas.relations()) {
    relations.push_back(ObjectIdGetDatum(relation));
  }
  return relations;
}

// Columns of pg_tviews_queue_entries(); "spilled" stands for records that are in the outbox only.
enum QueueColumn {
  kDatabase,
  kBackendPid,
  kTransaction,
  kQueueSize,
  kRelations,
  kLastEnqueued,
  kState,
  kQueueColumns
};

struct Output {
  Tuplestorestate* store;
  TupleDesc descriptor;
};

absl::StatusOr<Output> OpenOutput(FunctionCallInfo fcinfo) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { InitMaterializedSRF(fcinfo, 0); }));
  auto* const info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  return Output{info->setResult, info->setDesc};
}

absl::Status PutFrame(const Output& output, pg::DatabaseSlot* slot, const CopiedFrame& copied,
                      const std::vector<char>& payloads) {
  std::vector<Datum> relations = RelationsOf(copied, payloads);
  const tviews::FrameContent& content = copied.frame.content;
  const bool is_walked = copied.frame.position < slot->activity.walked.Load();
  const bool is_applying =
      slot->activity.state.Load() == static_cast<std::int32_t>(pg::ApplierState::kApplying);
  return pg::Call([&] {
    Datum values[kQueueColumns];
    bool nulls[kQueueColumns] = {};
    const FullTransactionId xid = FullTransactionIdFromU64(content.xid);
    const char* state = "waiting";
    if (TransactionIdIsInProgress(XidFromFullTransactionId(xid))) {
      state = "committing";
    } else if (is_walked && is_applying) {
      state = "applying";
    }
    values[kDatabase] = ObjectIdGetDatum(slot->database.Load());
    values[kBackendPid] = Int32GetDatum(content.pid);
    values[kTransaction] = FullTransactionIdGetDatum(xid);
    values[kQueueSize] = Int64GetDatum(content.source_keys);
    values[kRelations] = PointerGetDatum(construct_array(
        relations.data(), static_cast<int>(relations.size()), OIDOID, sizeof(Oid), true, 'i'));
    values[kLastEnqueued] = TimestampTzGetDatum(content.published_at);
    values[kState] = CStringGetTextDatum(state);
    tuplestore_putvalues(output.store, output.descriptor, values, nulls);
  });
}

// Transactions whose records are in the outbox only and that no scan has covered yet.
absl::Status PutSpilled(const Output& output, pg::DatabaseSlot* slot) {
  const std::uint64_t spilled = slot->overflow.started.Load() - slot->clean.Load();
  if (spilled == 0) return absl::OkStatus();
  return pg::Call([&] {
    Datum values[kQueueColumns] = {};
    bool nulls[kQueueColumns] = {};
    for (const int column : {kBackendPid, kTransaction, kRelations, kLastEnqueued}) {
      nulls[column] = true;
    }
    values[kDatabase] = ObjectIdGetDatum(slot->database.Load());
    values[kQueueSize] = Int64GetDatum(static_cast<std::int64_t>(spilled));
    values[kState] = CStringGetTextDatum("spilled");
    tuplestore_putvalues(output.store, output.descriptor, values, nulls);
  });
}

absl::Status PutQueue(const Output& output) {
  std::vector<CopiedFrame> frames;
  std::vector<char> payloads;
  pg::SlotTable* const table = pg::Slots();
  for (int i = 0; i < table->slot_count; ++i) {
    pg::DatabaseSlot* const slot = &table->slots[i];
    if (slot->database.Load() == 0) continue;
    CopyFrames(slot, &frames, &payloads);
    for (const CopiedFrame& copied : frames) {
      TVIEWS_RETURN_IF_ERROR(PutFrame(output, slot, copied, payloads));
    }
    TVIEWS_RETURN_IF_ERROR(PutSpilled(output, slot));
  }
  return absl::OkStatus();
}

const char* StateName(const pg::DatabaseSlot& slot) {
  const auto state = static_cast<pg::ApplierState>(slot.activity.state.Load());
  if (slot.paused.Load() != 0 && state != pg::ApplierState::kApplying) return "paused";
  switch (state) {
    case pg::ApplierState::kNone:
      return "none";
    case pg::ApplierState::kStarting:
      return "starting";
    case pg::ApplierState::kIdle:
      return "idle";
    case pg::ApplierState::kApplying:
      return "applying";
    case pg::ApplierState::kBackingOff:
      return "backing off";
  }
  return "unknown";
}

constexpr int kSlotColumns = 18;

Datum Number(const tviews::SharedCounter& counter) {
  return Int64GetDatum(static_cast<std::int64_t>(counter.Load()));
}

void PutSlot(const Output& output, const pg::DatabaseSlot& slot) {
  const pg::ApplierActivity& activity = slot.activity;
  const int pid = slot.applier_pid.Load();
  Datum values[kSlotColumns];
  bool nulls[kSlotColumns] = {};
  int column = 0;
  nulls[column] = pid == 0;
  values[column++] = Int32GetDatum(pid);
  values[column++] = ObjectIdGetDatum(slot.database.Load());
  values[column++] = CStringGetTextDatum(StateName(slot));
  nulls[column] = activity.tview.Load() == 0;
  values[column++] = ObjectIdGetDatum(activity.tview.Load());
  values[column++] = Number(activity.keys_done);
  values[column++] = Number(activity.keys_total);
  nulls[column] = activity.batch_started.Load() == 0;
  values[column++] = TimestampTzGetDatum(activity.batch_started.Load());
  for (const tviews::SharedCounter* counter :
       {&activity.batches, &activity.records, &activity.rows_written, &activity.rows_unchanged,
        &activity.full_refreshes, &activity.scans, &activity.retries, &activity.starts}) {
    values[column++] = Number(*counter);
  }
  nulls[column] = activity.last_batch_at.Load() == 0;
  values[column++] = TimestampTzGetDatum(activity.last_batch_at.Load());
  values[column++] = Float8GetDatum(static_cast<double>(activity.last_batch_us.Load()) / 1000.0);
  values[column++] = Int32GetDatum(pg::Slots()->launcher_pid.Load());
  tuplestore_putvalues(output.store, output.descriptor, values, nulls);
}

}  // namespace

TVIEWS_EXPORT Datum tviews_queue_entries(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const Output output, OpenOutput(fcinfo));
    TVIEWS_RETURN_IF_ERROR(PutQueue(output));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_slots(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const Output output, OpenOutput(fcinfo));
    pg::SlotTable* const table = pg::Slots();
    for (int i = 0; i < table->slot_count; ++i) {
      if (table->slots[i].database.Load() == 0) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutSlot(output, table->slots[i]); }));
    }
    return Datum{0};
  });
}
