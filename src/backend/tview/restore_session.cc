#include "backend/tview/restore_session.h"

#include <string_view>

#include "backend/capture/trigger_installation.h"
#include "backend/tview/drop.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <catalog/pg_type.h>
#include <commands/trigger.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <parser/analyze.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/guc.h>
#include <utils/lsyscache.h>
#include <utils/rls.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

post_parse_analyze_hook_type previous_hook = nullptr;

// The last TVIEW whose rows a statement was seen to leave out. It is asked for while permissions of
// that statement are checked; left behind by one that has failed, it says nothing about others:
// each INSERT is looked at again when it starts, each COPY before it does.
RelationId left_out = 0;

absl::StatusOr<RelationId> Resolve(const RangeVar* name) {
  if (name == nullptr) return RelationId{0};
  return pg::CallFor([&]() -> RelationId { return RangeVarGetRelid(name, NoLock, true); });
}

// The same under the lock that the statement will take: after it, nobody is about to adopt the
// table. Not locked for those whose statement will be refused.
absl::StatusOr<RelationId> Lock(const RangeVar* name, LOCKMODE mode, AclMode privilege) {
  if (name == nullptr) return RelationId{0};
  return pg::CallFor([&]() -> RelationId {
    const Oid relation = RangeVarGetRelid(name, NoLock, true);
    if (!OidIsValid(relation)) return relation;
    if (pg_class_aclcheck(relation, GetUserId(), privilege) != ACLCHECK_OK) return InvalidOid;
    return RangeVarGetRelid(name, mode, true);
  });
}

// The relation that a DROP is about.
absl::StatusOr<RelationId> ResolveDropped(List* name) {
  return pg::CallFor([&]() -> RelationId {
    return RangeVarGetRelid(makeRangeVarFromNameList(name), NoLock, true);
  });
}

absl::StatusOr<bool> HasTrigger(const CreateTrigStmt* statement) {
  if (!IsCaptureTrigger(statement->trigname)) return false;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation,
                          Lock(statement->relation, ShareRowExclusiveLock, ACL_TRIGGER));
  if (relation == 0) return false;
  return pg::CallFor(
      [&] { return OidIsValid(get_trigger_oid(relation, statement->trigname, true)); });
}

bool DropsCaptureTrigger(const DropStmt* statement) {
  return statement->removeType == OBJECT_TRIGGER && list_length(statement->objects) == 1 &&
         IsCaptureTrigger(strVal(llast(static_cast<List*>(linitial(statement->objects)))));
}

// The view that a statement drops, or replaces: one that is grouped by a primary key must lose its
// query before that goes.
absl::StatusOr<RelationId> RemovedView(const Node* node) {
  if (IsA(node, ViewStmt)) {
    const auto* const statement = reinterpret_cast<const ViewStmt*>(node);
    return statement->replace ? Resolve(statement->view) : RelationId{0};
  }
  if (!IsA(node, DropStmt)) return RelationId{0};
  const auto* const statement = reinterpret_cast<const DropStmt*>(node);
  if (statement->removeType != OBJECT_VIEW || list_length(statement->objects) != 1) {
    return RelationId{0};
  }
  return ResolveDropped(static_cast<List*>(linitial(statement->objects)));
}

// --clean removes a backing view before what it reads, and that perhaps before the table: the TVIEW
// becomes an ordinary table with a view.
absl::Status ReleaseRemoved(const Node* node) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId view, RemovedView(node));
  if (view == 0) return absl::OkStatus();
  // Under the lock that the statement will take: after it, nobody is about to adopt the table.
  TVIEWS_ASSIGN_OR_RETURN(const bool is_locked, pg::CallFor([&] {
                            if (!pg::compat::OwnsRelation(view, GetUserId())) return false;
                            LockRelationOid(view, AccessExclusiveLock);
                            return true;
                          }));
  if (!is_locked) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, pg::TviewOfBackingView(view));
  if (tview == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_owner, pg::CallFor([&] {
                            return pg::compat::OwnsRelation(tview, GetUserId());
                          }));
  return is_owner ? ReleaseTview(tview, view) : absl::OkStatus();
}

// The primary key, and DISABLE TRIGGER ALL of --disable-triggers: a TVIEW has none.
absl::StatusOr<bool> AltersTview(const AlterTableStmt* statement) {
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    switch (static_cast<AlterTableCmd*>(list_nth(statement->cmds, i))->subtype) {
      case AT_DropConstraint:
      case AT_AddConstraint:
      case AT_DisableTrigAll:
      case AT_EnableTrigAll:
        break;
      default:
        return false;
    }
  }
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  return pg::IsTview(relation);
}

absl::StatusOr<bool> IsRedundant(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_CreateTrigStmt:
      return HasTrigger(reinterpret_cast<const CreateTrigStmt*>(statement));
    case T_DropStmt:
      return DropsCaptureTrigger(reinterpret_cast<const DropStmt*>(statement));
    case T_AlterTableStmt:
      return AltersTview(reinterpret_cast<const AlterTableStmt*>(statement));
    default:
      return false;
  }
}

// COPY ... FROM ... WHERE false: the rows are read, and that is all.
absl::StatusOr<PlannedStmt*> WithoutRows(PlannedStmt* planned) {
  if (!IsA(planned->utilityStmt, CopyStmt)) return planned;
  const auto* statement = reinterpret_cast<const CopyStmt*>(planned->utilityStmt);
  if (!statement->is_from) return planned;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation,
                          Lock(statement->relation, RowExclusiveLock, ACL_INSERT));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  left_out = is_tview ? relation : RelationId{0};
  if (!is_tview) return planned;
  return pg::CallFor([&] {
    PlannedStmt* const copy = static_cast<PlannedStmt*>(copyObjectImpl(planned));
    A_Const* const no = makeNode(A_Const);
    no->val.boolval.type = T_Boolean;
    no->val.boolval.boolval = false;
    no->location = -1;
    reinterpret_cast<CopyStmt*>(copy->utilityStmt)->whereClause = reinterpret_cast<Node*>(no);
    return copy;
  });
}

// INSERT ... WHERE false, for any kind of INSERT.
absl::Status LeaveOutRows(Query* query) {
  if (query->commandType != CMD_INSERT) return absl::OkStatus();
  const auto* const target =
      static_cast<RangeTblEntry*>(list_nth(query->rtable, query->resultRelation - 1));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(target->relid));
  if (!is_tview) return absl::OkStatus();
  return pg::Call([&] { query->jointree->quals = makeBoolConst(false, false); });
}

bool IsFalse(const Node* condition) {
  if (condition == nullptr) return false;
  if (IsA(condition, Const)) {
    const auto* const constant = reinterpret_cast<const Const*>(condition);
    return constant->consttype == BOOLOID &&
           (constant->constisnull || !DatumGetBool(constant->constvalue));
  }
  if (!IsA(condition, List)) return false;
  const List* const all = reinterpret_cast<const List*>(condition);
  for (int i = 0; i < list_length(all); ++i) {
    if (IsFalse(static_cast<const Node*>(list_nth(all, i)))) return true;
  }
  return false;
}

// One INSERT and nothing else, of what a constant condition keeps from having rows.
bool InsertsNothing(const PlannedStmt* plan) {
  if (plan->planTree == nullptr || !IsA(plan->planTree, ModifyTable)) return false;
  const auto* const modify = reinterpret_cast<const ModifyTable*>(plan->planTree);
  const Plan* const rows = outerPlan(plan->planTree);
  return modify->operation == CMD_INSERT && list_length(plan->resultRelations) == 1 &&
         plan->subplans == nullptr && !plan->hasModifyingCTE && IsA(rows, Result) &&
         outerPlan(rows) == nullptr &&
         IsFalse(reinterpret_cast<const Result*>(rows)->resconstantqual);
}

void OnParsed(ParseState* state, Query* query, JumbleState* jumble) {
  if (previous_hook != nullptr) previous_hook(state, query, jumble);
  if (!IsRestoring()) return;
  pg::Enter<bool>([query]() -> absl::StatusOr<bool> {
    TVIEWS_RETURN_IF_ERROR(LeaveOutRows(query));
    return true;
  });
}

}  // namespace

void RegisterRestoreHook() {
  previous_hook = post_parse_analyze_hook;
  post_parse_analyze_hook = OnParsed;
}

bool IsRestoring() noexcept {
  return !check_function_bodies && !row_security && namespace_search_path != nullptr &&
         namespace_search_path[0] == '\0';
}

bool IsLeftOut(RelationId tview) noexcept { return IsRestoring() && tview == left_out; }

absl::StatusOr<bool> IsLeftOutBy(const PlannedStmt* plan, RelationId relation) {
  if (!IsRestoring() || !InsertsNothing(plan)) return false;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  left_out = is_tview ? relation : RelationId{0};
  return is_tview;
}

absl::StatusOr<RestoreStatement> AdaptRestore(PlannedStmt* planned) {
  RestoreStatement adapted{.planned = planned, .is_redundant = false};
  if (!IsRestoring()) return adapted;
  TVIEWS_ASSIGN_OR_RETURN(adapted.is_redundant, IsRedundant(planned->utilityStmt));
  TVIEWS_RETURN_IF_ERROR(ReleaseRemoved(planned->utilityStmt));
  TVIEWS_ASSIGN_OR_RETURN(adapted.planned, WithoutRows(planned));
  return adapted;
}

}  // namespace tviews::backend
