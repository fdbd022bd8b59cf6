#include "backend/ddl/pinned_names.h"

#include "backend/ddl/internal_ddl.h"
#include "shared/pg/boundary/guard.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <access/xlog.h>
#include <catalog/namespace.h>
#include <catalog/objectaddress.h>
#include <catalog/pg_class.h>
#include <commands/tablecmds.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// What follows runs inside Call.

// What the server asks of the role before, or after, it locks the relation.
struct Right {
  bool is_ownership;
  AclMode privilege;  // unless it is ownership; 0: nothing
};
constexpr Right kOwnership = {true, 0};

bool Has(Right right, Oid relation) {
  if (right.is_ownership) return pg::compat::OwnsRelation(relation, GetUserId());
  return right.privilege == 0 ||
         pg_class_aclcheck(relation, GetUserId(), right.privilege) == ACLCHECK_OK;
}

// Indexes and sequences are locked in other ways, and no TVIEW depends on their names.
bool Concerns(Oid relation) {
  switch (get_rel_relkind(relation)) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_FOREIGN_TABLE:
    case RELKIND_VIEW:
    case RELKIND_MATVIEW:
    case RELKIND_COMPOSITE_TYPE:
      return true;
    default:
      return false;
  }
}

// Before each attempt to lock: the name may have gone to a relation of somebody else.
void CheckRight(const RangeVar* name, Oid relation, Oid, void* argument) {
  if (!OidIsValid(relation)) return;
  const Right right = *static_cast<const Right*>(argument);
  if (Has(right, relation)) return;
  aclcheck_error(right.is_ownership ? ACLCHECK_NOT_OWNER : ACLCHECK_NO_PRIV,
                 get_relkind_objtype(get_rel_relkind(relation)), name->relname);
}

void Qualify(RangeVar* name, Oid relation) {
  name->schemaname = get_namespace_name(get_rel_namespace(relation));
}

bool Pin(RangeVar* name, LOCKMODE mode, Right right) {
  if (name == nullptr) return false;
  Oid relation = RangeVarGetRelid(name, NoLock, true);
  if (!OidIsValid(relation) || !Has(right, relation) || !Concerns(relation)) return false;
  relation = RangeVarGetRelidExtended(name, mode, RVR_MISSING_OK, CheckRight, &right);
  if (!OidIsValid(relation)) return false;
  Qualify(name, relation);
  return true;
}

void PinAlterTable(AlterTableStmt* statement) {
  // As the server does it, with all that it checks.
  const Oid relation = AlterTableLookupRelation(statement, AlterTableGetLockLevel(statement->cmds));
  if (!OidIsValid(relation)) return;
  Qualify(statement->relation, relation);
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    switch (command->subtype) {
      case AT_AttachPartition:
      case AT_DetachPartition:
      case AT_DetachPartitionFinalize: {
        auto* const partition = reinterpret_cast<PartitionCmd*>(command->def);
        Pin(partition->name, partition->concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock,
            kOwnership);
        break;
      }
      case AT_AddInherit:
        Pin(reinterpret_cast<RangeVar*>(command->def), ShareUpdateExclusiveLock, kOwnership);
        break;
      case AT_DropInherit:
        Pin(reinterpret_cast<RangeVar*>(command->def), AccessShareLock, {false, 0});
        break;
      default:
        break;
    }
  }
}

Oid FindReplacedView(const RangeVar* view) {
  if (view->schemaname != nullptr && !OidIsValid(get_namespace_oid(view->schemaname, true))) {
    return InvalidOid;
  }
  return get_relname_relid(view->relname, RangeVarGetCreationNamespace(view));
}

// Only locked: which schema the view goes to depends on what its query reads.
void LockReplacedView(const ViewStmt* statement) {
  if (!statement->replace) return;
  const Oid view = FindReplacedView(statement->view);
  if (!OidIsValid(view) || !Has(kOwnership, view)) return;
  LockRelationOid(view, AccessExclusiveLock);
}

bool Exists(const RangeVar* name) {
  return OidIsValid(get_relname_relid(name->relname, RangeVarGetCreationNamespace(name)));
}

// The parents. A table that is there already is left alone.
void PinCreate(CreateStmt* statement) {
  if (statement->inhRelations == nullptr) return;
  if (statement->if_not_exists && Exists(statement->relation)) return;
  const LOCKMODE mode =
      statement->partbound != nullptr ? AccessExclusiveLock : ShareUpdateExclusiveLock;
  for (int i = 0; i < list_length(statement->inhRelations); ++i) {
    Pin(static_cast<RangeVar*>(list_nth(statement->inhRelations, i)), mode, kOwnership);
  }
}

// The tables of triggers or rules: each is a name of the table, followed by its own.
void PinDrop(DropStmt* statement) {
  if (statement->removeType != OBJECT_TRIGGER && statement->removeType != OBJECT_RULE) return;
  for (int i = 0; i < list_length(statement->objects); ++i) {
    ListCell* const cell = list_nth_cell(statement->objects, i);
    List* const name = static_cast<List*>(lfirst(cell));
    if (list_length(name) < 2) continue;
    RangeVar* const table =
        makeRangeVarFromNameList(list_truncate(list_copy(name), list_length(name) - 1));
    if (!Pin(table, AccessExclusiveLock, kOwnership)) continue;
    lfirst(cell) =
        list_make3(makeString(table->schemaname), makeString(table->relname), llast(name));
  }
}

void PinTruncate(TruncateStmt* statement) {
  for (int i = 0; i < list_length(statement->relations); ++i) {
    Pin(static_cast<RangeVar*>(list_nth(statement->relations, i)), AccessExclusiveLock,
        {false, ACL_TRUNCATE});
  }
}

void PinStatement(Node* statement) {
  switch (nodeTag(statement)) {
    case T_AlterTableStmt:
      return PinAlterTable(reinterpret_cast<AlterTableStmt*>(statement));
    case T_RenameStmt:
      Pin(reinterpret_cast<RenameStmt*>(statement)->relation, AccessExclusiveLock, kOwnership);
      return;
    case T_AlterObjectSchemaStmt:
      Pin(reinterpret_cast<AlterObjectSchemaStmt*>(statement)->relation, AccessExclusiveLock,
          kOwnership);
      return;
    case T_AlterObjectDependsStmt:
      Pin(reinterpret_cast<AlterObjectDependsStmt*>(statement)->relation, AccessExclusiveLock,
          kOwnership);
      return;
    case T_ViewStmt:
      return LockReplacedView(reinterpret_cast<const ViewStmt*>(statement));
    case T_CreateStmt:
    case T_CreateForeignTableStmt:
      return PinCreate(reinterpret_cast<CreateStmt*>(statement));
    case T_CreateTrigStmt:
      Pin(reinterpret_cast<CreateTrigStmt*>(statement)->relation, ShareRowExclusiveLock,
          {false, ACL_TRIGGER});
      return;
    case T_RuleStmt:
      Pin(reinterpret_cast<RuleStmt*>(statement)->relation, AccessExclusiveLock, kOwnership);
      return;
    case T_CreatePolicyStmt:
      Pin(reinterpret_cast<CreatePolicyStmt*>(statement)->table, AccessExclusiveLock, kOwnership);
      return;
    case T_DropStmt:
      return PinDrop(reinterpret_cast<DropStmt*>(statement));
    case T_TruncateStmt:
      return PinTruncate(reinterpret_cast<TruncateStmt*>(statement));
    case T_RefreshMatViewStmt: {
      auto* const refresh = reinterpret_cast<RefreshMatViewStmt*>(statement);
      Pin(refresh->relation, refresh->concurrent ? ExclusiveLock : AccessExclusiveLock, kOwnership);
      return;
    }
    default:
      return;
  }
}

bool NamesRelations(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_AlterTableStmt:
    case T_RenameStmt:
    case T_AlterObjectSchemaStmt:
    case T_AlterObjectDependsStmt:
    case T_ViewStmt:
    case T_CreateStmt:
    case T_CreateForeignTableStmt:
    case T_CreateTrigStmt:
    case T_RuleStmt:
    case T_CreatePolicyStmt:
    case T_DropStmt:
    case T_TruncateStmt:
    case T_RefreshMatViewStmt:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::StatusOr<PlannedStmt*> PinNames(PlannedStmt* planned) {
  if (InternalDdlScope::IsOpen() || !NamesRelations(planned->utilityStmt)) return planned;
  // The command is refused there, before it locks anything.
  if (XactReadOnly || RecoveryInProgress() || IsInParallelMode()) return planned;
  return pg::CallFor([planned] {
    PlannedStmt* const copy = static_cast<PlannedStmt*>(copyObjectImpl(planned));
    PinStatement(copy->utilityStmt);
    return copy;
  });
}

absl::StatusOr<RelationId> ReplacedView(const ViewStmt* statement) {
  return pg::CallFor([statement]() -> RelationId {
    return statement->replace ? FindReplacedView(statement->view) : InvalidOid;
  });
}

}  // namespace tviews::backend
