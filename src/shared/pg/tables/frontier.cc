#include "shared/pg/tables/frontier.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/columns.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <access/tableam.h>
#include <catalog/indexing.h>
#include <executor/tuptable.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/rel.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using Column = FrontierColumn;
constexpr std::size_t kColumns = place(Column::kEnd);

void Raise(Datum* values, AttributeNumber column, std::uint64_t by) {
  Datum& value = values[place(column)];
  value = Int64GetDatum(DatumGetInt64(value) + static_cast<int64>(by));
}

// Inside a Call. Goes on to the row of `lane`; false if there is none.
bool FindRow(TableScanDesc scan, TupleTableSlot* row, const char* lane) {
  // Version 0.1.0 has one row, and no column that says so.
  const bool has_lanes = row->tts_tupleDescriptor->natts >= Column::kLane;
  while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
    if (!has_lanes) return strcmp(kMainLane, lane) == 0;
    bool is_null = false;
    const Datum stored = slot_getattr(row, Column::kLane, &is_null);
    if (!is_null && strcmp(TextDatumGetCString(stored), lane) == 0) return true;
  }
  return false;
}

// What a batch writes into the row.
struct NewFrontier {
  Datum snapshot;
  Timestamp time;
  const BatchTotals* totals;
};

// Inside a Call.
void Fill(const NewFrontier& frontier, Datum* values, bool* nulls) {
  values[place(Column::kSnapshot)] = frontier.snapshot;
  values[place(Column::kAppliedAt)] = TimestampTzGetDatum(GetCurrentTimestamp());
  values[place(Column::kClock)] = TimestampTzGetDatum(frontier.time);
  for (const AttributeNumber column : {Column::kSnapshot, Column::kAppliedAt, Column::kClock}) {
    nulls[place(column)] = false;
  }
  const BatchTotals& totals = *frontier.totals;
  Raise(values, Column::kBatches, 1);
  Raise(values, Column::kRecords, totals.records);
  Raise(values, Column::kRowsInserted, totals.inserted);
  Raise(values, Column::kRowsUpdated, totals.updated);
  Raise(values, Column::kRowsDeleted, totals.deleted);
  Raise(values, Column::kRowsUnchanged, totals.unchanged);
  Raise(values, Column::kFullRefreshes, totals.full_refreshes);
}

// Inside a Call.
void InsertRow(Relation relation, const NewFrontier& frontier, const char* lane) {
  Datum values[kColumns] = {};  // counters begin with zero
  bool nulls[kColumns] = {};
  values[place(Column::kId)] = Int32GetDatum(1);
  values[place(Column::kLane)] = CStringGetTextDatum(lane);
  Fill(frontier, values, nulls);
  CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
}

}  // namespace

absl::Status StoreFrontier(SnapshotData* snapshot, const std::string& lane,
                           const SnapshotBounds& frontier, Timestamp time,
                           const BatchTotals& totals) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kFrontier));
  const std::string text = FormatSnapshot(frontier);
  const bool may_insert = lane != kMainLane;
  bool found = false;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    const NewFrontier stored = {
        .snapshot = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(text.c_str())),
        .time = time,
        .totals = &totals};
    Relation const relation = table_open(table, RowExclusiveLock);
    TupleTableSlot* const row = table_slot_create(relation, nullptr);
    TableScanDesc const scan = table_beginscan(relation, snapshot, 0, nullptr);
    found = FindRow(scan, row, lane.c_str());
    if (found) {
      slot_getallattrs(row);
      Datum values[kColumns];
      bool nulls[kColumns];
      for (std::size_t i = 0; i < kColumns; ++i) {
        values[i] = row->tts_values[i];
        nulls[i] = row->tts_isnull[i];
      }
      Fill(stored, values, nulls);
      HeapTuple const tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
      ItemPointerData place = row->tts_tid;
      CatalogTupleUpdate(relation, &place, tuple);
    } else if (may_insert) {
      InsertRow(relation, stored, lane.c_str());
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(relation, NoLock);
  }));
  if (found || may_insert) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.message = "the row of pg_tview_frontier is missing",
                    .hint = "Insert it again: INSERT INTO pg_tview_frontier (id) VALUES (1)."});
}

namespace {

// Calls `read` with a column of the row, unless it is null.
template <typename Read>
absl::Status ReadColumn(SnapshotData* snapshot, const std::string& lane, AttributeNumber column,
                        const Read& read) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kFrontier));
  return Call([&] {
    Relation const relation = table_open(table, AccessShareLock);
    TupleTableSlot* const row = table_slot_create(relation, nullptr);
    TableScanDesc const scan = table_beginscan(relation, snapshot, 0, nullptr);
    if (FindRow(scan, row, lane.c_str())) {
      bool is_null = false;
      const Datum stored = slot_getattr(row, column, &is_null);
      if (!is_null) read(stored);
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(relation, AccessShareLock);
  });
}

}  // namespace

absl::StatusOr<Timestamp> ReadFrontierTime(SnapshotData* snapshot, const std::string& lane) {
  Timestamp time = 0;
  TVIEWS_RETURN_IF_ERROR(ReadColumn(snapshot, lane, Column::kClock,
                                    [&time](Datum stored) { time = DatumGetTimestampTz(stored); }));
  return time;
}

absl::StatusOr<Timestamp> ReadLatestFrontierTime(SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kFrontier));
  Timestamp latest = 0;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    Relation const relation = table_open(table, AccessShareLock);
    TupleTableSlot* const row = table_slot_create(relation, nullptr);
    TableScanDesc const scan = table_beginscan(relation, snapshot, 0, nullptr);
    while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
      bool is_null = false;
      const Datum stored = slot_getattr(row, Column::kClock, &is_null);
      if (!is_null) latest = std::max<Timestamp>(latest, DatumGetTimestampTz(stored));
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(relation, AccessShareLock);
  }));
  return latest;
}

absl::StatusOr<SnapshotBounds> ReadFrontier(SnapshotData* snapshot, const std::string& lane) {
  const char* text = nullptr;
  TVIEWS_RETURN_IF_ERROR(ReadColumn(snapshot, lane, Column::kSnapshot, [&text](Datum stored) {
    text = DatumGetCString(DirectFunctionCall1(pg_snapshot_out, stored));
  }));
  return text == nullptr ? SnapshotBounds() : ParseSnapshot(text);
}

}  // namespace tviews::pg
