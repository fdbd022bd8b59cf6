#include "backend/ddl/altered_types.h"

#include <cstdint>

#include "backend/tview/uses.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <catalog/namespace.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_class.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <optimizer/optimizer.h>
#include <parser/parse_coerce.h>
#include <parser/parse_type.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

const AlterTableCmd* CommandAt(const AlterTableStmt* statement, int i) {
  return static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
}

// --- Inside Call.

bool NamesPresentType(Oid relation, const AlterTableCmd* command) {
  const auto* const definition = reinterpret_cast<const ColumnDef*>(command->def);
  if (command->subtype != AT_AlterColumnType || definition->raw_default != nullptr) return false;
  std::int32_t modifier = -1;
  HeapTuple const type = LookupTypeName(nullptr, definition->typeName, &modifier, true);
  if (!HeapTupleIsValid(type)) return false;
  const Oid wanted = reinterpret_cast<Form_pg_type>(GETSTRUCT(type))->oid;
  const bool is_defined = reinterpret_cast<Form_pg_type>(GETSTRUCT(type))->typisdefined;
  ReleaseSysCache(type);
  HeapTuple const row = SearchSysCacheAttName(relation, command->name);
  if (!HeapTupleIsValid(row) || !is_defined) {
    if (HeapTupleIsValid(row)) ReleaseSysCache(row);
    return false;
  }
  const auto* const column = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row));
  const bool is_same =
      column->attnum > 0 && column->attinhcount == 0 && column->atttypid == wanted &&
      column->atttypmod == modifier &&
      column->attcollation ==
          GetColumnDefCollation(nullptr, const_cast<ColumnDef*>(definition), wanted);
  ReleaseSysCache(row);
  return is_same;
}

// As the server decides whether to rewrite the table.
bool KeepsValues(Oid relation, const AlterTableCmd* command) {
  const auto* const definition = reinterpret_cast<const ColumnDef*>(command->def);
  if (definition->raw_default != nullptr) return false;
  if (get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE) return false;
  std::int32_t modifier = -1;
  HeapTuple const type = LookupTypeName(nullptr, definition->typeName, &modifier, true);
  if (!HeapTupleIsValid(type)) return false;
  const Oid wanted = reinterpret_cast<Form_pg_type>(GETSTRUCT(type))->oid;
  ReleaseSysCache(type);
  const AttrNumber number = get_attnum(relation, command->name);
  if (number <= 0) return false;
  Oid present = InvalidOid;
  std::int32_t present_modifier = -1;
  Oid collation = InvalidOid;
  get_atttypetypmodcoll(relation, number, &present, &present_modifier, &collation);
  if (wanted != present && !(IsText(wanted) && IsText(present))) return false;
  auto* const column =
      reinterpret_cast<Node*>(makeVar(1, number, present, present_modifier, collation, 0));
  Node* cast = coerce_to_target_type(nullptr, column, present, wanted, modifier,
                                     COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
  if (cast == nullptr) return false;
  cast = reinterpret_cast<Node*>(expression_planner(reinterpret_cast<Expr*>(cast)));
  while (IsA(cast, RelabelType)) {
    cast = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(cast)->arg);
  }
  return IsA(cast, Var);
}

bool IsUntypedTable(Oid relation) {
  HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(row)) return false;
  const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
  const bool is_table = form->relkind == RELKIND_RELATION ||
                        form->relkind == RELKIND_PARTITIONED_TABLE ||
                        form->relkind == RELKIND_FOREIGN_TABLE;
  const bool is_typed = OidIsValid(form->reloftype);
  ReleaseSysCache(row);
  return is_table && !is_typed;
}

}  // namespace

bool IsText(TypeId type) { return type == TEXTOID || type == VARCHAROID; }

std::vector<std::string> AlteredNames(const AlterTableStmt* statement) {
  std::vector<std::string> names;
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const AlterTableCmd* const command = CommandAt(statement, i);
    if (command->subtype == AT_AlterColumnType) names.emplace_back(command->name);
  }
  return names;
}

absl::StatusOr<bool> ChangesAnyType(RelationId relation, const AlterTableStmt* statement) {
  return pg::CallFor([&] {
    bool changes_any = false;
    for (int i = 0; i < list_length(statement->cmds); ++i) {
      const AlterTableCmd* const command = CommandAt(statement, i);
      changes_any |= command->subtype == AT_AlterColumnType && !NamesPresentType(relation, command);
    }
    return changes_any;
  });
}

absl::Status RemoveNoops(PlannedStmt* planned) {
  if (!IsA(planned->utilityStmt, AlterTableStmt)) return absl::OkStatus();
  auto* const statement = reinterpret_cast<AlterTableStmt*>(planned->utilityStmt);
  if (AlteredNames(statement).empty()) return absl::OkStatus();
  Oid relation = InvalidOid;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    relation = RangeVarGetRelid(statement->relation, NoLock, true);
    if (OidIsValid(relation) && !IsUntypedTable(relation)) relation = InvalidOid;
  }));
  if (relation == InvalidOid) return absl::OkStatus();
  for (int i = list_length(statement->cmds) - 1; i >= 0; --i) {
    const AlterTableCmd* const command = CommandAt(statement, i);
    if (command->subtype != AT_AlterColumnType) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_noop,
                            pg::CallFor([&] { return NamesPresentType(relation, command); }));
    if (!is_noop) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> users,
                            UsersOfColumn(relation, command->name));
    if (users.empty()) continue;
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([&] { statement->cmds = list_delete_nth_cell(statement->cmds, i); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<RetypingKind> ForeseeRetyping(RelationId relation, const AlterTableCmd* command) {
  return pg::CallFor([=] {
    if (NamesPresentType(relation, command)) return RetypingKind::kNoop;
    return KeepsValues(relation, command) ? RetypingKind::kSameValues : RetypingKind::kOtherValues;
  });
}

}  // namespace tviews::backend
