#include "shared/pg/planner/group_keys.h"

#include "shared/pg/planner/group_level.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <optimizer/optimizer.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// What it is under another name of its type, which does not change it.
Node* Unlabeled(void* node) {
  auto* const expr = static_cast<Node*>(node);
  if (!IsA(expr, RelabelType)) return expr;
  return reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(expr)->arg);
}

bool IsFixedBy(const Node* condition, const Node* expr) {
  if (!IsA(condition, OpExpr)) return false;
  const auto* const comparison = reinterpret_cast<const OpExpr*>(condition);
  if (list_length(comparison->args) != 2) return false;
  if (OidIsValid(comparison->inputcollid) &&
      !get_collation_isdeterministic(comparison->inputcollid)) {
    return false;
  }
  auto* left = static_cast<Node*>(linitial(comparison->args));
  auto* right = static_cast<Node*>(lsecond(comparison->args));
  if (!op_mergejoinable(comparison->opno, exprType(left))) return false;
  // Other casts may make one value of several.
  left = Unlabeled(left);
  right = Unlabeled(right);
  return (equal(left, expr) && !contain_vars_of_level(right, 0)) ||
         (equal(right, expr) && !contain_vars_of_level(left, 0));
}

}  // namespace

bool AreFixed(const GroupLevel* level, int first) {
  for (int i = first; i < list_length(level->keys); ++i) {
    const Node* const expr = static_cast<GroupKey*>(list_nth(level->keys, i))->expr;
    bool is_fixed = false;
    ListCell* cell;
    foreach (cell, level->conditions) {
      is_fixed = is_fixed || IsFixedBy(static_cast<Node*>(lfirst(cell)), expr);
    }
    if (!is_fixed) return false;
  }
  return true;
}

List* ColumnsOfKey(const GroupLevel* level, Node* key) {
  if (!IsA(key, Var)) return pull_var_clause(key, 0);
  List* columns = list_make1(key);
  ListCell* cell;
  foreach (cell, level->filters) {
    if (!IsA(lfirst(cell), OpExpr)) continue;
    const auto* const comparison = lfirst_node(OpExpr, cell);
    if (list_length(comparison->args) != 2) continue;
    Node* const left = Unlabeled(linitial(comparison->args));
    Node* const right = Unlabeled(lsecond(comparison->args));
    if (!IsA(left, Var) || !IsA(right, Var)) continue;
    if (!op_mergejoinable(comparison->opno,
                          exprType(static_cast<Node*>(linitial(comparison->args))))) {
      continue;
    }
    if (equal(left, key)) columns = lappend(columns, right);
    if (equal(right, key)) columns = lappend(columns, left);
  }
  return columns;
}

}  // namespace tviews::pg
