#include "shared/pg/planner/group_expressions.h"

#include "shared/types.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::ForServer;
using compat::MutatorForServer;

bool IsUsersFunction(Oid function, void* /*context*/) { return function >= FirstGenbkiObjectId; }

bool IsUsersType(Oid type) {
  return type >= FirstGenbkiObjectId && get_typtype(type) != TYPTYPE_ENUM;
}

// True if `node` is, or has in it, what no state is made of. `context`: the entries.
bool IsForeign(Node* node, void* context) {
  if (node == nullptr) return false;
  switch (nodeTag(node)) {
    case T_Var: {
      const auto* const var = reinterpret_cast<Var*>(node);
      return var->varlevelsup != 0 || var->varattno <= 0 ||
             !bms_is_member(static_cast<int>(var->varno), static_cast<Bitmapset*>(context));
    }
    case T_Param:
    case T_SubLink:
    case T_Query:
    case T_Aggref:
    case T_WindowFunc:
    case T_GroupingFunc:
    case T_CoerceToDomain:
    case T_CoerceToDomainValue:
    case T_ConvertRowtypeExpr:
    case T_FieldStore:
    case T_RowExpr:
    case T_MinMaxExpr:
      return true;
    case T_Const:
      // Reading the text of a value runs functions of its type.
      return IsUsersType(reinterpret_cast<Const*>(node)->consttype);
    default:
      break;
  }
  if (check_functions_in_node(node, IsUsersFunction, nullptr)) return true;
  return expression_tree_walker(node, ForServer(IsForeign), context);
}

Node* WithNulls(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (!IsA(node, Var)) return expression_tree_mutator(node, MutatorForServer(WithNulls), context);
  const auto* const var = reinterpret_cast<Var*>(node);
  return reinterpret_cast<Node*>(makeNullConst(var->vartype, var->vartypmod, var->varcollid));
}

}  // namespace

bool IsOwn(Node* node, Bitmapset* entries) {
  return !IsForeign(node, entries) && !contain_mutable_functions(node) &&
         !expression_returns_set(node);
}

// Numbers of the columns of `entry` in an expression.
Bitmapset* ColumnsIn(Node* node, int entry) {
  Bitmapset* offset = nullptr;
  pull_varattnos(node, static_cast<Index>(entry), &offset);
  Bitmapset* columns = nullptr;
  for (int i = -1; (i = bms_next_member(offset, i)) >= 0;) {
    columns = bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
  }
  return columns;
}

bool IsNothingOfNulls(Node* node, bool or_false) {
  Node* const value = eval_const_expressions(nullptr, WithNulls(node, nullptr));
  if (!IsA(value, Const)) return false;
  const auto* const constant = reinterpret_cast<Const*>(value);
  return constant->constisnull || (or_false && !DatumGetBool(constant->constvalue));
}

}  // namespace tviews::pg
