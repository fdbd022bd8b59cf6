#include "backend/capture/note_row.h"

#include <vector>

#include "backend/capture/trigger_function.h"
#include "backend/evaluation/evaluator.h"
#include "backend/functions/row_by_key.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <access/tableam.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <storage/itemptr.h>
#include <storage/lmgr.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// A row version in a slot, for as long as the object lives.
struct OpenRow {
  Relation relation = nullptr;
  TupleTableSlot* slot = nullptr;
};

// Raises. The lock is kept until the end of the transaction, as a writer's is. The evaluator's
// snapshot, which has found the row, keeps it from being removed.
OpenRow Open(RelationId id, const char* place, AttributeNumber highest) {
  OpenRow row;
  row.relation = table_open(id, RowExclusiveLock);
  row.slot = table_slot_create(row.relation, nullptr);
  auto* const pointer = DatumGetPointer(DirectFunctionCall1(tidin, CStringGetDatum(place)));
  if (!table_tuple_fetch_row_version(row.relation, reinterpret_cast<ItemPointer>(pointer),
                                     SnapshotAny, row.slot)) {
    elog(ERROR, "row %s of relation %u has vanished", place, id);
  }
  if (highest > 0) slot_getsomeattrs(row.slot, highest);
  return row;
}

void Close(const OpenRow& row) {
  ExecDropSingleTupleTableSlot(row.slot);
  table_close(row.relation, NoLock);
}

absl::StatusOr<bool> NoteFoundRow(const FoundRow& found) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config,
                          pg::CaptureConfigOf(found.relation));
  if (config->targets.empty()) return false;
  TVIEWS_ASSIGN_OR_RETURN(const OpenRow row, pg::CallFor([&] {
                            return Open(found.relation, found.place.c_str(),
                                        config->highest_attribute);
                          }));
  // Of the version that was before, which may have counted, nothing is known.
  TVIEWS_RETURN_IF_ERROR(CaptureTrigger::ReadVersion(*config, *row.slot, Versions::kAll));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { Close(row); }));
  return true;
}

}  // namespace

absl::Status NoteRow(RelationId table, const std::string& key) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PreventCommandIfReadOnly("pg_tviews_cascade()"); }));
  TVIEWS_RETURN_IF_ERROR(CheckMayReadTable(table));
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { LockRelationOid(table, RowExclusiveLock); }));
  TVIEWS_ASSIGN_OR_RETURN(Evaluator evaluator, Evaluator::Start());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<FoundRow> rows, FindRowsByKey(table, key, &evaluator));
  bool is_source = false;
  for (const FoundRow& row : rows) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_noted, NoteFoundRow(row));
    is_source = is_source || is_noted;
  }
  TVIEWS_RETURN_IF_ERROR(evaluator.EndSnapshot());
  if (is_source) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(table));
  return pg::Call([&] { ereport(NOTICE, (errmsg("no TVIEW reads table %s", name.c_str()))); });
}

}  // namespace tviews::backend
