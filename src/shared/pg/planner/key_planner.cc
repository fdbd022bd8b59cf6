#include "shared/pg/planner/key_planner.h"

#include "shared/pg/documents/document_functions.h"
#include "shared/pg/planner/group_reading.h"
#include "shared/pg/planner/inline_ctes.h"
#include "shared/pg/planner/narrow_query.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/params.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <optimizer/optimizer.h>
#include <optimizer/planner.h>
#include <storage/proc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

planner_hook_type previous_planner = nullptr;

Query* Copy(const Query* query) { return static_cast<Query*>(copyObjectImpl(query)); }

PlannedStmt* PlanAsWritten(Query* query, const char* text, int options, ParamListInfo parameters) {
  if (previous_planner != nullptr) return previous_planner(query, text, options, parameters);
  return standard_planner(query, text, options, parameters);
}

// Functions of a TVIEW's query run statements of their own.
bool MayRewrite(Query* query) {
  return query->commandType == CMD_SELECT && !query->hasModifyingCTE && !query->hasForUpdate &&
         !contain_volatile_functions(reinterpret_cast<Node*>(query));
}

PlannedStmt* Cheaper(PlannedStmt* one, PlannedStmt* other) {
  return other->planTree->total_cost < one->planTree->total_cost ? other : one;
}

// Helpers and evaluators stand in the lock group of the process that they work for. Who asks for
// parallel workers becomes the leader of a group, which a member must not: the groups in shared
// memory would be mixed up.
bool IsMemberOfLockGroup() {
  return MyProc->lockGroupLeader != nullptr && MyProc->lockGroupLeader != MyProc;
}

PlannedStmt* OnPlan(Query* query, const char* text, int options, ParamListInfo parameters) {
  if (IsMemberOfLockGroup()) options &= ~CURSOR_OPT_PARALLEL_OK;
  if (!KeyPlanning::IsActive() || !MayRewrite(query)) {
    return PlanAsWritten(query, text, options, parameters);
  }
  ReadGroupStates(query);
  UseDocumentFunctions(query);
  Query* const in_place = Copy(query);
  const bool has_ctes = InlineCtes(in_place);
  Query* const narrow = Copy(in_place);
  const bool is_narrower = NarrowQuery(narrow, parameters);
  PlannedStmt* best = PlanAsWritten(query, text, options, parameters);
  if (has_ctes) best = Cheaper(best, PlanAsWritten(in_place, text, options, parameters));
  if (is_narrower) best = Cheaper(best, PlanAsWritten(narrow, text, options, parameters));
  return best;
}

}  // namespace

void RegisterPlannerHook() {
  previous_planner = planner_hook;
  planner_hook = OnPlan;
}

}  // namespace tviews::pg
