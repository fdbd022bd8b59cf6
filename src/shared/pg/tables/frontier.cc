#include "shared/pg/tables/frontier.h"

#include <string>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
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

// Columns of pg_tview_frontier, as 12_tables.sql lists them.
enum Column {
  kId,
  kSnapshot,
  kAppliedAt,
  kBatches,
  kRecords,
  kInserted,
  kUpdated,
  kDeleted,
  kUnchanged,
  kFull,
  kColumns
};

void Raise(Datum* values, int column, std::uint64_t by) {
  values[column] = Int64GetDatum(DatumGetInt64(values[column]) + static_cast<int64>(by));
}

}  // namespace

absl::Status StoreFrontier(SnapshotData* snapshot, const SnapshotBounds& frontier,
                           const BatchTotals& totals) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kFrontier));
  const std::string text = FormatSnapshot(frontier);
  bool found = false;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    Relation const relation = table_open(table, RowExclusiveLock);
    TupleTableSlot* const row = table_slot_create(relation, nullptr);
    TableScanDesc const scan = table_beginscan(relation, snapshot, 0, nullptr);
    found = table_scan_getnextslot(scan, ForwardScanDirection, row);
    if (found) {
      slot_getallattrs(row);
      Datum values[kColumns];
      bool nulls[kColumns];
      for (int i = 0; i < kColumns; ++i) {
        values[i] = row->tts_values[i];
        nulls[i] = row->tts_isnull[i];
      }
      values[kSnapshot] = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(text.c_str()));
      values[kAppliedAt] = TimestampTzGetDatum(GetCurrentTimestamp());
      nulls[kSnapshot] = nulls[kAppliedAt] = false;
      Raise(values, kBatches, 1);
      Raise(values, kRecords, totals.records);
      Raise(values, kInserted, totals.inserted);
      Raise(values, kUpdated, totals.updated);
      Raise(values, kDeleted, totals.deleted);
      Raise(values, kUnchanged, totals.unchanged);
      Raise(values, kFull, totals.full_refreshes);
      HeapTuple const tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
      ItemPointerData place = row->tts_tid;
      CatalogTupleUpdate(relation, &place, tuple);
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(relation, NoLock);
  }));
  if (found) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.message = "the row of pg_tview_frontier is missing",
                    .hint = "Insert it again: INSERT INTO pg_tview_frontier (id) VALUES (1)."});
}

absl::StatusOr<SnapshotBounds> ReadFrontier(SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kFrontier));
  const char* text = nullptr;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    Relation const relation = table_open(table, AccessShareLock);
    TupleTableSlot* const row = table_slot_create(relation, nullptr);
    TableScanDesc const scan = table_beginscan(relation, snapshot, 0, nullptr);
    if (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
      bool is_null = false;
      const Datum stored = slot_getattr(row, kSnapshot + 1, &is_null);
      if (!is_null) text = DatumGetCString(DirectFunctionCall1(pg_snapshot_out, stored));
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(relation, AccessShareLock);
  }));
  return text == nullptr ? SnapshotBounds() : ParseSnapshot(text);
}

}  // namespace tviews::pg
