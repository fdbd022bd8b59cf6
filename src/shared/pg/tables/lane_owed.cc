#include "shared/pg/tables/lane_owed.h"

#include <cstring>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/columns.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <access/tableam.h>
#include <executor/tuptable.h>
#include <utils/builtins.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

absl::StatusOr<bool> LaneIsOwed(SnapshotData* snapshot, const std::string& lane) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kLaneOwed));
  bool found = false;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    Relation const relation = table_open(table, AccessShareLock);
    TupleTableSlot* const row = table_slot_create(relation, nullptr);
    TableScanDesc const scan = table_beginscan(relation, snapshot, 0, nullptr);
    while (!found && table_scan_getnextslot(scan, ForwardScanDirection, row)) {
      bool is_null = false;
      const Datum stored = slot_getattr(row, LaneOwedColumn::kLane, &is_null);
      found = !is_null && std::strcmp(TextDatumGetCString(stored), lane.c_str()) == 0;
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(relation, AccessShareLock);
  }));
  return found;
}

}  // namespace tviews::pg
