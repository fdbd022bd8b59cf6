#include "backend/ddl/aftermath_plan.h"

#include <string>
#include <string_view>
#include <vector>

#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/pinned_names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/inheritors.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <catalog/pg_collation.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_ts_config.h>
#include <catalog/pg_ts_dict.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <parser/parse_type.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// What follows up to Plan runs inside Call.

void AddRelation(const RangeVar* name, Aftermath* aftermath) {
  if (name == nullptr) return;
  const Oid relation = RangeVarGetRelid(name, NoLock, true);
  if (relation == InvalidOid) return;
  aftermath->relations = list_append_unique_oid(aftermath->relations, relation);
}

// How rows are stored, and what the planner believes about them: nothing that a query sees, nor
// anything of the relation that TVIEWs depend on.
bool IsAboutStorage(AlterTableType type) {
  switch (type) {
    case AT_SetStatistics:
    case AT_SetOptions:
    case AT_ResetOptions:
    case AT_SetStorage:
    case AT_SetCompression:
    case AT_ClusterOn:
    case AT_DropCluster:
    case AT_SetTableSpace:
    case AT_SetRelOptions:
    case AT_ResetRelOptions:
    case AT_ReplicaIdentity:
      return true;
    default:
      return false;
  }
}

// Also a statement of which nothing is left.
bool ConcernsNobody(const AlterTableStmt* statement) {
  if (statement->objtype != OBJECT_TABLE) return false;  // options of a view are of its meaning
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    if (!IsAboutStorage(command->subtype)) return false;
  }
  const Oid relation = RangeVarGetRelid(statement->relation, NoLock, true);
  const char kind = OidIsValid(relation) ? get_rel_relkind(relation) : '\0';
  return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

List* AddOid(List* relations, const RangeVar* name) {
  const Oid relation = RangeVarGetRelid(name, NoLock, true);
  return OidIsValid(relation) ? list_append_unique_oid(relations, relation) : relations;
}

void PlanAlterTable(const AlterTableStmt* statement, Aftermath* aftermath) {
  if (ConcernsNobody(statement)) return;
  AddRelation(statement->relation, aftermath);
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    switch (command->subtype) {
      case AT_AttachPartition: {
        const RangeVar* const name = reinterpret_cast<const PartitionCmd*>(command->def)->name;
        AddRelation(name, aftermath);
        aftermath->changes_tree = true;
        aftermath->arriving = AddOid(aftermath->arriving, name);
        break;
      }
      case AT_DetachPartition:
      case AT_DetachPartitionFinalize: {
        const auto* const partition = reinterpret_cast<const PartitionCmd*>(command->def);
        AddRelation(partition->name, aftermath);
        aftermath->changes_tree = true;
        // Others see it go while the command goes on.
        aftermath->rows_may_differ |=
            partition->concurrent || command->subtype == AT_DetachPartitionFinalize;
        break;
      }
      case AT_AddColumn:
      case AT_DropColumn:
        aftermath->changes_columns = true;
        break;
      case AT_GenericOptions:
      case AT_AlterColumnGenericOptions:
        aftermath->rows_may_differ = true;  // a foreign table may stand for another one now
        break;
      case AT_AddInherit:
        AddRelation(reinterpret_cast<const RangeVar*>(command->def), aftermath);
        aftermath->changes_tree = true;
        aftermath->arriving = AddOid(aftermath->arriving, statement->relation);
        break;
      case AT_DropInherit:
        AddRelation(reinterpret_cast<const RangeVar*>(command->def), aftermath);
        aftermath->changes_tree = true;
        break;
      default:
        break;
    }
  }
}

// Foreign tables have no TRUNCATE triggers.
void PlanTruncate(const TruncateStmt* statement, Aftermath* aftermath) {
  for (int i = 0; i < list_length(statement->relations); ++i) {
    const auto* const name = static_cast<RangeVar*>(list_nth(statement->relations, i));
    const Oid relation = RangeVarGetRelid(name, NoLock, true);
    if (relation == InvalidOid) continue;
    List* const members =
        name->inh ? pg::FindInheritors(relation, NoLock) : list_make1_oid(relation);
    for (int k = 0; k < list_length(members); ++k) {
      const Oid member = list_nth_oid(members, k);
      if (get_rel_relkind(member) != RELKIND_FOREIGN_TABLE) continue;
      aftermath->unseen_changes = lappend_oid(aftermath->unseen_changes, member);
    }
  }
}

// True for objects whose names the text of a lookup may contain, besides relations and columns.
bool IsNamedInLookups(ObjectType type) {
  switch (type) {
    case OBJECT_AGGREGATE:
    case OBJECT_ATTRIBUTE:
    case OBJECT_COLLATION:
    case OBJECT_DOMAIN:
    case OBJECT_EXTENSION:
    case OBJECT_FUNCTION:
    case OBJECT_OPERATOR:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_SCHEMA:
    case OBJECT_TYPE:
      return true;
    default:
      return false;
  }
}

// The name of what is renamed or moved, without its schema; null where many objects move.
const char* LastName(const Node* object, const char* subname) {
  if (object == nullptr) return subname;  // a schema
  if (IsA(object, ObjectWithArgs)) {
    object =
        reinterpret_cast<const Node*>(reinterpret_cast<const ObjectWithArgs*>(object)->objname);
  }
  return IsA(object, List) ? strVal(llast(reinterpret_cast<const List*>(object))) : nullptr;
}

// All functions with this name: those that the command has written are found out afterwards.
void AddFunctions(List* name, Aftermath* aftermath) {
  FuncCandidateList candidate = FuncnameGetCandidates(name, -1, NIL, false, false, false, true);
  for (; candidate != nullptr; candidate = candidate->next) {
    aftermath->functions = lappend_oid(aftermath->functions, candidate->oid);
  }
}

// The types of the rows of a relation whose columns are changed, and of its inheritors: other
// relations may have columns of them.
void AddRowTypes(const RangeVar* name, Aftermath* aftermath) {
  const Oid relation = RangeVarGetRelid(name, NoLock, true);
  if (relation == InvalidOid) return;
  List* const members = pg::FindInheritors(relation, NoLock);
  for (int i = 0; i < list_length(members); ++i) {
    const Oid type = get_rel_type_id(list_nth_oid(members, i));
    if (OidIsValid(type)) aftermath->types = lappend_oid(aftermath->types, type);
  }
}

bool ChangesColumns(const AlterTableStmt* statement) {
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    switch (static_cast<AlterTableCmd*>(list_nth(statement->cmds, i))->subtype) {
      case AT_AddColumn:
      case AT_DropColumn:
      case AT_AlterColumnType:
        return true;
      default:
        break;
    }
  }
  return false;
}

bool RenamesColumn(const RenameStmt* statement) {
  return statement->renameType == OBJECT_COLUMN || statement->renameType == OBJECT_ATTRIBUTE;
}

// Commands that change what an object means, but neither a relation nor a row.
void PlanMeaning(const Node* statement, Aftermath* aftermath) {
  switch (nodeTag(statement)) {
    case T_AlterEnumStmt: {
      const auto* alter = reinterpret_cast<const AlterEnumStmt*>(statement);
      if (alter->oldVal == nullptr) break;
      const TypeName* const name = makeTypeNameFromNameList(alter->typeName);
      const Oid type = LookupTypeNameOid(nullptr, name, true);
      if (OidIsValid(type)) aftermath->types = list_make1_oid(type);
      break;
    }
    case T_AlterDomainStmt: {
      // What failed for a constraint can be computed without it.
      const TypeName* const name =
          makeTypeNameFromNameList(reinterpret_cast<const AlterDomainStmt*>(statement)->typeName);
      const Oid type = LookupTypeNameOid(nullptr, name, true);
      if (OidIsValid(type)) aftermath->types = list_make1_oid(type);
      break;
    }
    case T_AlterTableStmt: {
      const auto* alter = reinterpret_cast<const AlterTableStmt*>(statement);
      if (ChangesColumns(alter)) AddRowTypes(alter->relation, aftermath);
      break;
    }
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      if (RenamesColumn(rename)) AddRowTypes(rename->relation, aftermath);
      break;
    }
    case T_CreateFunctionStmt: {
      const auto* create = reinterpret_cast<const CreateFunctionStmt*>(statement);
      if (create->replace) AddFunctions(create->funcname, aftermath);
      break;
    }
    case T_AlterFunctionStmt:
      AddFunctions(reinterpret_cast<const AlterFunctionStmt*>(statement)->func->objname, aftermath);
      break;
    case T_DefineStmt: {
      const auto* define = reinterpret_cast<const DefineStmt*>(statement);
      if (define->kind == OBJECT_AGGREGATE && define->replace) {
        AddFunctions(define->defnames, aftermath);
      }
      break;
    }
    case T_AlterTSConfigurationStmt:
      aftermath->object_class = TSConfigRelationId;
      aftermath->object = get_ts_config_oid(
          reinterpret_cast<const AlterTSConfigurationStmt*>(statement)->cfgname, true);
      break;
    case T_AlterTSDictionaryStmt:
      aftermath->object_class = TSDictionaryRelationId;
      aftermath->object = get_ts_dict_oid(
          reinterpret_cast<const AlterTSDictionaryStmt*>(statement)->dictname, true);
      break;
    case T_AlterCollationStmt:
      aftermath->object_class = CollationRelationId;
      aftermath->object =
          get_collation_oid(reinterpret_cast<const AlterCollationStmt*>(statement)->collname, true);
      break;
    default:
      break;
  }
}

void Plan(const Node* statement, Aftermath* aftermath) {
  PlanMeaning(statement, aftermath);
  switch (nodeTag(statement)) {
    case T_AlterTableStmt:
      PlanAlterTable(reinterpret_cast<const AlterTableStmt*>(statement), aftermath);
      break;
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      AddRelation(rename->relation, aftermath);
      aftermath->changes_columns = RenamesColumn(rename);
      if (rename->renameType == OBJECT_SCHEMA) {
        aftermath->schema = get_namespace_oid(rename->subname, true);
      }
      // Those of a view are the names in its rows.
      aftermath->rows_may_differ =
          RenamesColumn(rename) && aftermath->relations != nullptr &&
          get_rel_relkind(linitial_oid(aftermath->relations)) == RELKIND_VIEW;
      aftermath->is_rename_elsewhere = IsNamedInLookups(rename->renameType);
      aftermath->renamed = LastName(rename->object, rename->subname);
      break;
    }
    case T_AlterObjectSchemaStmt: {
      const auto* move = reinterpret_cast<const AlterObjectSchemaStmt*>(statement);
      AddRelation(move->relation, aftermath);
      aftermath->is_rename_elsewhere = IsNamedInLookups(move->objectType);
      aftermath->renamed = LastName(move->object, nullptr);
      break;
    }
    case T_RuleStmt: {
      // "_RETURN" of a view: the same as to replace the view.
      const auto* rule = reinterpret_cast<const RuleStmt*>(statement);
      if (rule->event != CMD_SELECT) break;
      AddRelation(rule->relation, aftermath);
      aftermath->rows_may_differ = true;
      break;
    }
    case T_RefreshMatViewStmt: {
      const auto* refresh = reinterpret_cast<const RefreshMatViewStmt*>(statement);
      const Oid relation = RangeVarGetRelid(refresh->relation, NoLock, true);
      if (relation != InvalidOid) aftermath->unseen_changes = list_make1_oid(relation);
      break;
    }
    case T_TruncateStmt:
      PlanTruncate(reinterpret_cast<const TruncateStmt*>(statement), aftermath);
      break;
    case T_CreateForeignTableStmt:
    case T_CreateStmt: {
      // A foreign table's statement begins like a table's.
      const List* const parents = reinterpret_cast<const CreateStmt*>(statement)->inhRelations;
      for (int i = 0; i < list_length(parents); ++i) {
        AddRelation(static_cast<RangeVar*>(list_nth(parents, i)), aftermath);
        aftermath->changes_tree = true;
        // A new table is empty; a new foreign table has the rows of the one that it stands for.
        aftermath->rows_may_differ |= IsA(statement, CreateForeignTableStmt);
      }
      break;
    }
    default:
      break;
  }
}

// A TVIEW that uses one of them may be about to be created.
absl::Status LockMeanings(const Aftermath& aftermath) {
  for (int i = 0; i < list_length(aftermath.functions); ++i) {
    TVIEWS_RETURN_IF_ERROR(
        LockToChangeMeaning(ProcedureRelationId, list_nth_oid(aftermath.functions, i)));
  }
  for (int i = 0; i < list_length(aftermath.types); ++i) {
    TVIEWS_RETURN_IF_ERROR(LockToChangeMeaning(TypeRelationId, list_nth_oid(aftermath.types, i)));
  }
  if (aftermath.object == 0) return absl::OkStatus();
  return LockToChangeMeaning(aftermath.object_class, aftermath.object);
}

}  // namespace

absl::StatusOr<Aftermath> ForeseeAftermath(const Node* statement) {
  Aftermath aftermath{};
  aftermath.generation = pg::CatalogGeneration();
  RelationId replaced = 0;
  if (IsA(statement, ViewStmt)) {
    TVIEWS_ASSIGN_OR_RETURN(replaced, ReplacedView(reinterpret_cast<const ViewStmt*>(statement)));
  }
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    if (replaced != 0) aftermath.relations = list_make1_oid(replaced);
    aftermath.rows_may_differ = replaced != 0;
    Plan(statement, &aftermath);
  }));
  return aftermath;
}

absl::StatusOr<Aftermath> PlanAftermath(const Node* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const Aftermath aftermath, ForeseeAftermath(statement));
  TVIEWS_RETURN_IF_ERROR(LockMeanings(aftermath));
  return aftermath;
}

}  // namespace tviews::backend
