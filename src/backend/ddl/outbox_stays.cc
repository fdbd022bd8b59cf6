#include "backend/ddl/outbox_stays.h"

#include <cstring>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/heapam.h>
#include <access/table.h>
#include <access/tableam.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <commands/defrem.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// What follows runs inside Call.

bool IsFull(const VacuumStmt* statement) {
  if (!statement->is_vacuumcmd) return false;
  bool is_full = false;
  for (int i = 0; i < list_length(statement->options); ++i) {
    DefElem* const option = static_cast<DefElem*>(list_nth(statement->options, i));
    if (strcmp(option->defname, "full") == 0) is_full = defGetBoolean(option);
  }
  return is_full;
}

// What VACUUM without names vacuums. That the role may do it is asked table by table, later.
List* AllTables() {
  List* tables = nullptr;
  Relation const classes = table_open(RelationRelationId, AccessShareLock);
  TableScanDesc const scan = table_beginscan_catalog(classes, 0, nullptr);
  HeapTuple tuple = nullptr;
  while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
    const auto* const row = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    if (row->relkind == RELKIND_RELATION || row->relkind == RELKIND_MATVIEW ||
        row->relkind == RELKIND_PARTITIONED_TABLE) {
      tables = lappend(tables, makeVacuumRelation(nullptr, row->oid, nullptr));
    }
  }
  table_endscan(scan);
  table_close(classes, AccessShareLock);
  return tables;
}

Oid TableOf(const VacuumRelation* table) {
  return table->relation == nullptr ? table->oid : RangeVarGetRelid(table->relation, NoLock, true);
}

// Removes the outbox; true if it was there.
bool Remove(VacuumStmt* statement, Oid outbox) {
  const int before = list_length(statement->rels);
  for (int i = before - 1; i >= 0; --i) {
    const auto* const table = static_cast<VacuumRelation*>(list_nth(statement->rels, i));
    if (TableOf(table) == outbox) statement->rels = list_delete_nth_cell(statement->rels, i);
  }
  return list_length(statement->rels) < before;
}

// As LeaveOutboxOut.
PlannedStmt* Without(PlannedStmt* planned, Oid outbox) {
  if (!IsFull(castNode(VacuumStmt, planned->utilityStmt))) return planned;
  auto* const copy = static_cast<PlannedStmt*>(copyObjectImpl(planned));
  auto* const statement = castNode(VacuumStmt, copy->utilityStmt);
  const bool is_named = statement->rels != nullptr;
  if (!is_named) statement->rels = AllTables();
  if (!Remove(statement, outbox)) return planned;
  if (is_named) {
    ereport(NOTICE, (errmsg("skipping \"pg_tview_outbox\": its rows cannot be moved"),
                     errdetail("Change records are addressed by their place in the table."),
                     errhint("Plain VACUUM keeps it small: its rows live no longer than a "
                             "refresh.")));
  }
  return statement->rels == nullptr ? nullptr : copy;
}

}  // namespace

absl::StatusOr<PlannedStmt*> LeaveOutboxOut(PlannedStmt* planned) {
  if (!IsA(planned->utilityStmt, VacuumStmt)) return planned;
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, pg::ExtensionSchema());
  if (schema == 0) return planned;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId outbox, pg::CatalogTableId(pg::CatalogTable::kOutbox));
  return pg::CallFor([planned, outbox] { return Without(planned, outbox); });
}

}  // namespace tviews::backend
