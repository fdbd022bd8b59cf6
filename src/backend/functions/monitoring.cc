// What the appliers do, and how far long work is: the functions below the monitoring views.
//
// Layer:   backend
// Sharing: reads shared memory, atomics
// Errors:  raise through pg::Enter

#include <vector>

#include "backend/functions/row_output.h"
#include "backend/reading/slot_wait.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>
#include <miscadmin.h>

PG_FUNCTION_INFO_V1(tviews_lane_slots);
PG_FUNCTION_INFO_V1(tviews_lanes);
PG_FUNCTION_INFO_V1(tviews_progress);
PG_FUNCTION_INFO_V1(tviews_server_state);
PG_FUNCTION_INFO_V1(tviews_slots);
PG_FUNCTION_INFO_V1(tviews_sessions_waiting);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

using backend::Row;
using backend::RowOutput;

const char* StateName(const pg::DatabaseSlot& slot) {
  const auto state = static_cast<pg::ApplierState>(slot.activity.state.Load());
  if (backend::IsPaused(slot) && state != pg::ApplierState::kApplying) return "paused";
  switch (state) {
    case pg::ApplierState::kNone:
      return "none";
    case pg::ApplierState::kIdle:
      return "idle";
    case pg::ApplierState::kApplying:
      return "applying";
    case pg::ApplierState::kBackingOff:
      return "backing off";
  }
  return "unknown";
}

void PutSlot(const RowOutput& output, const pg::DatabaseSlot& slot) {
  const pg::ApplierActivity& activity = slot.activity;
  Row row;
  if (pg::IsOfLane(&slot)) row.PutText(slot.lane);
  row.PutIntUnlessZero(slot.applier_pid.Load());
  row.PutOid(slot.database.Load());
  row.PutText(StateName(slot));
  row.PutOidUnlessZero(activity.tview.Load());
  row.PutNumber(activity.keys_done);
  row.PutNumber(activity.keys_total);
  row.PutTime(activity.batch_started.Load());
  for (const tviews::SharedCounter* counter :
       {&activity.batches, &activity.records, &activity.rows_written, &activity.rows_unchanged,
        &activity.full_refreshes, &activity.scans, &activity.retries, &activity.starts}) {
    row.PutNumber(*counter);
  }
  row.PutTime(activity.last_batch_at.Load());
  row.PutMilliseconds(static_cast<double>(activity.last_batch_us.Load()));
  if (!pg::IsOfLane(&slot)) row.PutInt(pg::Slots()->launcher_pid.Load());
  row.Store(output);
}

// Those of `count` slots from `first` on that somebody has.
absl::Status PutSlots(FunctionCallInfo fcinfo, int first, int count) {
  TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
  for (int i = first; i < first + count; ++i) {
    const pg::DatabaseSlot& slot = pg::Slots()->slots[i];
    if (slot.database.Load() == 0) continue;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutSlot(output, slot); }));
  }
  return absl::OkStatus();
}

void PutLane(const RowOutput& output, const pg::DatabaseSlot& slot) {
  const pg::ApplierActivity& activity = slot.activity;
  Row row;
  row.PutText(slot.lane);
  row.PutIntUnlessZero(slot.applier_pid.Load());
  row.PutText(StateName(slot));
  row.PutOidUnlessZero(activity.tview.Load());
  row.PutTime(activity.tview.Load() == 0 ? 0 : activity.tview_started.Load());
  row.PutNumber(activity.retries);
  row.PutTime(activity.last_batch_at.Load());
  row.PutMilliseconds(static_cast<double>(activity.last_batch_us.Load()));
  row.Store(output);
}

void PutServer(const RowOutput& output) {
  const pg::SlotTable& table = *pg::Slots();
  std::int32_t used = 0;
  for (int i = 0; i < table.slot_count; ++i) used += table.slots[i].database.Load() != 0 ? 1 : 0;
  Row row;
  row.PutIntUnlessZero(table.launcher_pid.Load());
  row.PutNumber(table.launches_failed);
  row.PutInt(used);
  row.PutInt(table.slot_count);
  row.PutTime(table.turned_away_at.Load());
  row.PutNumber(pg::Stats()->evicted);
  row.PutNumber(table.quiet_failures);
  row.Store(output);
}

// What an applier refreshes now; nothing between TVIEWs. The estimate of a full refresh is for the
// view to add, unless the TVIEW is being filled.
void PutRefresh(const RowOutput& output, const pg::DatabaseSlot& slot) {
  const pg::ApplierActivity& activity = slot.activity;
  const tviews::RelationId tview = activity.tview.Load();
  if (slot.database.Load() == 0 || tview == 0) return;
  const bool is_full = activity.is_full.Load() != 0;
  Row row;
  row.PutIntUnlessZero(slot.applier_pid.Load());
  row.PutOid(slot.database.Load());
  row.PutOid(tview);
  row.PutNull();
  row.PutText(is_full ? "full refresh" : "refresh");
  row.PutText(activity.is_searching.Load() != 0 ? "looking for keys" : "refreshing");
  row.PutNumber(activity.keys_done);
  row.PutNumberUnlessZero(activity.keys_total.Load());
  row.PutTime(activity.tview_started.Load());
  row.Store(output);
}

const char* PhaseName(std::int32_t phase) {
  switch (static_cast<pg::CreationPhase>(phase)) {
    case pg::CreationPhase::kLocking:
      return "locking sources";
    case pg::CreationPhase::kFilling:
      return "filling";
    case pg::CreationPhase::kIndexing:
      return "creating indexes";
    case pg::CreationPhase::kAnalyzing:
      return "analyzing";
  }
  return "unknown";
}

void PutCreation(const RowOutput& output, const pg::CreationNote& note) {
  Row row;
  row.PutInt(note.pid.Load());
  row.PutOid(note.database.Load());
  row.PutNull();
  row.PutText(note.entity);
  row.PutText("creation");
  row.PutText(PhaseName(note.phase.Load()));
  row.PutNumber(note.rows_done);
  row.PutNumberUnlessZero(note.rows_expected.Load());
  row.PutTime(note.started_at.Load());
  row.Store(output);
}

void PutWait(const RowOutput& output, const pg::WaitNote& note) {
  const int count = note.tview_count.Load();
  tviews::RelationId relations[pg::kWaitedFor];
  for (int i = 0; i < count; ++i) relations[i] = note.tviews[i].Load();
  Row row;
  row.PutInt(note.pid.Load());
  if (count == 0) {
    row.PutNull();
  } else {
    row.PutOids(relations, count);
  }
  row.PutTime(note.since.Load());
  row.Store(output);
}

}  // namespace

TVIEWS_EXPORT Datum tviews_sessions_waiting(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
    pg::WaitNote note;
    for (int i = 0; i < pg::session_notes::size(); ++i) {
      if (!pg::session_notes::Copy(i, &note) || note.database.Load() != MyDatabaseId) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutWait(output, note); }));
    }
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_lanes(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
    std::vector<const pg::DatabaseSlot*> slots;
    pg::ForEachSlotOf(MyDatabaseId, [&](pg::DatabaseSlot* slot) { slots.push_back(slot); });
    for (const pg::DatabaseSlot* const slot : slots) {
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutLane(output, *slot); }));
    }
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_slots(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(PutSlots(fcinfo, 0, pg::Slots()->slot_count));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_lane_slots(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(PutSlots(fcinfo, pg::Slots()->slot_count, pg::Slots()->lane_count));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_server_state(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutServer(output); }));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_progress(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
    pg::SlotTable* const table = pg::Slots();
    for (int i = 0; i < table->all(); ++i) {
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutRefresh(output, table->slots[i]); }));
    }
    pg::CreationNote note;
    for (int i = 0; i < pg::session_notes::size(); ++i) {
      if (!pg::session_notes::Copy(i, &note)) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutCreation(output, note); }));
    }
    return Datum{0};
  });
}
