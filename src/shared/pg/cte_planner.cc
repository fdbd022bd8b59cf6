#include "shared/pg/cte_planner.h"

#include "shared/pg/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <optimizer/planner.h>
#include "shared/pg/compat.h"
#include "shared/pg/postgres_end.h"

namespace tviews::pg {
namespace {

planner_hook_type previous_planner = nullptr;

using compat::ForServer;

// Lets every CTE that would be computed as a whole be computed in place; the server itself excepts
// recursive ones. Notes in `context`, a bool, whether there is one.
bool PutInPlace(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(PutInPlace), context);
  auto* query = reinterpret_cast<Query*>(node);
  ListCell* cell;
  foreach (cell, query->cteList) {
    auto* cte = static_cast<CommonTableExpr*>(lfirst(cell));
    if (cte->cterecursive || cte->ctematerialized == CTEMaterializeNever) continue;
    if (cte->ctematerialized == CTEMaterializeDefault && cte->cterefcount <= 1) continue;
    cte->ctematerialized = CTEMaterializeNever;
    *static_cast<bool*>(context) = true;
  }
  return query_tree_walker(query, ForServer(PutInPlace), context, 0);
}

PlannedStmt* PlanAsWritten(Query* query, const char* text, int options, ParamListInfo parameters) {
  if (previous_planner != nullptr) return previous_planner(query, text, options, parameters);
  return standard_planner(query, text, options, parameters);
}

PlannedStmt* OnPlan(Query* query, const char* text, int options, ParamListInfo parameters) {
  if (!CtesInPlace::IsActive()) return PlanAsWritten(query, text, options, parameters);
  Query* in_place = static_cast<Query*>(copyObjectImpl(query));
  bool has_ctes = false;
  PutInPlace(reinterpret_cast<Node*>(in_place), &has_ctes);
  PlannedStmt* const as_written = PlanAsWritten(query, text, options, parameters);
  if (!has_ctes) return as_written;
  PlannedStmt* const other = PlanAsWritten(in_place, text, options, parameters);
  return other->planTree->total_cost < as_written->planTree->total_cost ? other : as_written;
}

}  // namespace

void RegisterPlannerHook() {
  previous_planner = planner_hook;
  planner_hook = OnPlan;
}

}  // namespace tviews::pg
