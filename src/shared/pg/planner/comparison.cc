#include "shared/pg/planner/comparison.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::MutatorForServer;

Var* ColumnOf(Node* node, int entry) {
  Node* const stripped = StripRelabel(node);
  if (!IsA(stripped, Var)) return nullptr;
  Var* const column = reinterpret_cast<Var*>(stripped);
  const bool is_ours = column->varlevelsup == 0 && static_cast<int>(column->varno) == entry;
  return is_ours && column->varattno > 0 ? column : nullptr;
}

bool IsEquality(Oid operator_id) {
  return get_mergejoin_opfamilies(operator_id) != NIL || op_hashjoinable(operator_id, InvalidOid);
}

struct Translation {
  int entry;
  List* columns;  // target list of the subquery
};

// What stands for the columns of the entry is of the subquery's level; all else is one level up.
Node* Translate(Node* node, void* context) {
  auto* const translation = static_cast<Translation*>(context);
  if (node == nullptr) return nullptr;
  if (!IsA(node, Var)) return expression_tree_mutator(node, MutatorForServer(Translate), context);
  auto* const column = reinterpret_cast<Var*>(node);
  if (column->varlevelsup == 0 && static_cast<int>(column->varno) == translation->entry) {
    return static_cast<Node*>(
        copyObjectImpl(get_tle_by_resno(translation->columns, column->varattno)->expr));
  }
  auto* const outer = static_cast<Var*>(copyObjectImpl(column));
  ++outer->varlevelsup;
  return reinterpret_cast<Node*>(outer);
}

}  // namespace

Node* StripRelabel(Node* node) {
  while (IsA(node, RelabelType)) {
    node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
  }
  return node;
}

bool ParseComparison(Node* expr, int entry, Comparison* comparison) {
  if (contain_subplans(expr) || contain_volatile_functions(expr)) return false;
  List* arguments = NIL;
  if (IsA(expr, OpExpr)) {
    const auto* const operation = reinterpret_cast<OpExpr*>(expr);
    arguments = operation->args;
    comparison->operator_id = operation->opno;
    comparison->collation = operation->inputcollid;
    comparison->is_equality = IsEquality(operation->opno);
  } else if (IsA(expr, ScalarArrayOpExpr)) {
    const auto* const operation = reinterpret_cast<ScalarArrayOpExpr*>(expr);
    if (!operation->useOr) return false;
    arguments = operation->args;
    comparison->operator_id = operation->opno;
    comparison->collation = operation->inputcollid;
    comparison->is_equality = false;
  }
  if (list_length(arguments) != 2) return false;
  auto* left = static_cast<Node*>(linitial(arguments));
  auto* right = static_cast<Node*>(lsecond(arguments));
  if (ColumnOf(left, entry) == nullptr) {
    Node* const first = left;
    left = right;
    right = first;
  }
  comparison->column = ColumnOf(left, entry);
  comparison->value = right;
  return comparison->column != nullptr && !bms_is_member(entry, pull_varnos(nullptr, right));
}

Node* TranslateComparison(Node* expr, const Comparison& comparison, int entry, Query* subquery) {
  auto* const source = reinterpret_cast<Node*>(
      get_tle_by_resno(subquery->targetList, comparison.column->varattno)->expr);
  if (exprType(source) != comparison.column->vartype) return nullptr;
  if (contain_subplans(source) || contain_volatile_functions(source) ||
      contain_agg_clause(source) || contain_window_function(source) ||
      expression_returns_set(source)) {
    return nullptr;
  }
  Translation translation{entry, subquery->targetList};
  return Translate(expr, &translation);
}

}  // namespace tviews::pg
