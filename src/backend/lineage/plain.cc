#include "backend/lineage/plain.h"

#include "shared/pg/server/inheritors.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <access/transam.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_class.h>
#include <catalog/pg_proc.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

using pg::compat::ForServer;
using pg::compat::MutatorForServer;

bool CollectOccurrences(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Var)) {
    auto** ids = static_cast<Bitmapset**>(context);
    *ids = bms_add_member(*ids, reinterpret_cast<Var*>(node)->varno);
    return false;
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, CollectOccurrences, context);
}

// These are STABLE for the sake of types like timestamptz, whose text depends on settings. Keys
// made from numbers by them are common.
bool MakesTextOrDocument(Oid function) {
  switch (function) {
    case F_ANYTEXTCAT:
    case F_TEXTANYCAT:
    case F_CONCAT:
    case F_CONCAT_WS:
    case F_JSON_BUILD_ARRAY_ANY:
    case F_JSON_BUILD_OBJECT_ANY:
    case F_JSONB_BUILD_ARRAY_ANY:
    case F_JSONB_BUILD_OBJECT_ANY:
    case F_TO_JSON:
    case F_TO_JSONB:
      return true;
    default:
      return false;
  }
}

// Types of users may have a cast to json, which is called then.
bool IsSafeConcatenation(Oid function, List* arguments) {
  if (!MakesTextOrDocument(function)) return false;
  ListCell* cell;
  foreach (cell, arguments) {
    const Oid type = getBaseType(exprType(static_cast<Node*>(lfirst(cell))));
    Oid output = InvalidOid;
    bool is_variable_length = false;
    getTypeOutputInfo(type, &output, &is_variable_length);
    if (type >= FirstNormalObjectId && function != F_ANYTEXTCAT && function != F_TEXTANYCAT) {
      return false;
    }
    if (func_volatile(output) != PROVOLATILE_IMMUTABLE) return false;
  }
  return true;
}

bool IsNotImmutable(Oid function, void* /*context*/) {
  return func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

bool FindMutable(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, SQLValueFunction) || IsA(node, NextValueExpr)) return true;
  bool is_safe = false;
  if (IsA(node, OpExpr)) {
    auto* operation = reinterpret_cast<OpExpr*>(node);
    is_safe = IsSafeConcatenation(get_opcode(operation->opno), operation->args);
  } else if (IsA(node, FuncExpr)) {
    is_safe = IsSafeConcatenation(reinterpret_cast<FuncExpr*>(node)->funcid,
                                  reinterpret_cast<FuncExpr*>(node)->args);
  }
  if (!is_safe && check_functions_in_node(node, IsNotImmutable, context)) return true;
  if (IsA(node, Query)) return WalkQuery(reinterpret_cast<Query*>(node), FindMutable, context);
  if (IsA(node, RangeTblEntry)) return false;
  return WalkChildren(node, FindMutable, context);
}

bool IsSpecialVar(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Var)) return reinterpret_cast<Var*>(node)->varattno <= 0;
  return WalkChildren(node, IsSpecialVar, context);
}

bool IsNamelessForeignOperator(Node* node, void* context) {
  if (node == nullptr || IsA(node, RangeTblEntry)) return false;
  Oid operator_id = InvalidOid;
  if (IsA(node, DistinctExpr) || IsA(node, NullIfExpr)) {
    operator_id = reinterpret_cast<OpExpr*>(node)->opno;
  } else if (IsA(node, RowCompareExpr)) {
    return true;
  } else if (IsA(node, OpExpr)) {
    // Only the short form of CASE compares a CaseTestExpr by an operator.
    Node* first = static_cast<Node*>(linitial(reinterpret_cast<OpExpr*>(node)->args));
    if (IsA(StripRelabel(first), CaseTestExpr)) operator_id = reinterpret_cast<OpExpr*>(node)->opno;
  }
  if (operator_id >= FirstNormalObjectId) return true;
  if (IsA(node, Query)) {
    return WalkQuery(reinterpret_cast<Query*>(node), IsNamelessForeignOperator, context);
  }
  return WalkChildren(node, IsNamelessForeignOperator, context);
}

}  // namespace

void* GrowPlainArray(void* items, int size, int* room, std::size_t item_size) {
  *room = size == 0 ? 8 : size * 2;
  const std::size_t bytes = static_cast<std::size_t>(*room) * item_size;
  return items == nullptr ? palloc(bytes) : repalloc(items, bytes);
}

void* AllocateZeroed(std::size_t size) { return palloc0(size); }

bool WalkChildren(Node* node, NodeWalker walker, void* context) {
  return expression_tree_walker(node, ForServer(walker), context);
}

bool WalkQuery(Query* query, NodeWalker walker, void* context) {
  return query_tree_walker(query, ForServer(walker), context,
                           QTW_EXAMINE_RTES_BEFORE | QTW_IGNORE_JOINALIASES);
}

bool WalkLevel(Query* query, NodeWalker walker, void* context) {
  return query_tree_walker(
      query, ForServer(walker), context,
      QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES | QTW_IGNORE_JOINALIASES);
}

Node* MutateChildren(Node* node, NodeMutator mutator, void* context) {
  return expression_tree_mutator(node, MutatorForServer(mutator), context);
}

void MutateLevel(Query* query, NodeMutator mutator, void* context) {
  query_tree_mutator(query, MutatorForServer(mutator), context,
                     QTW_DONT_COPY_QUERY | QTW_IGNORE_RT_SUBQUERIES | QTW_IGNORE_CTE_SUBQUERIES |
                         QTW_IGNORE_JOINALIASES);
}

Bitmapset* OccurrencesIn(Node* node) {
  Bitmapset* ids = nullptr;
  CollectOccurrences(node, &ids);
  return ids;
}

bool HasSpecialVars(Node* node) { return IsSpecialVar(node, nullptr); }

bool IsPureExpression(Node* node) {
  return !contain_subplans(node) && !contain_agg_clause(node) && !contain_window_function(node) &&
         !expression_returns_set(node) && !DependsOnSettings(node);
}

bool DependsOnSettings(Node* node) { return FindMutable(node, nullptr); }

bool IsStrictExpression(Node* expr) { return !contain_nonstrict_functions(expr); }

Node* StripRelabel(Node* node) {
  while (node != nullptr && IsA(node, RelabelType)) {
    node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
  }
  return node;
}

Node* WithCollation(Node* expr, Oid32 collation) {
  if (!OidIsValid(collation) || exprCollation(expr) == collation) return expr;
  CollateExpr* collate = makeNode(CollateExpr);
  collate->arg = reinterpret_cast<Expr*>(expr);
  collate->collOid = collation;
  collate->location = -1;
  return reinterpret_cast<Node*>(collate);
}

bool CollationsAgree(Oid32 left, Oid32 right) {
  if (left == right) return true;
  return (!OidIsValid(left) || get_collation_isdeterministic(left)) &&
         (!OidIsValid(right) || get_collation_isdeterministic(right));
}

bool IsEqualityOperator(Oid32 operator_id) {
  return equality_ops_are_compatible(operator_id, operator_id) &&
         (get_mergejoin_opfamilies(operator_id) != NIL || op_hashjoinable(operator_id, InvalidOid));
}

Oid32 EqualityOperatorOf(TypeId type) { return lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr; }

bool IsDeclaredNotNull(RelationId table, AttributeNumber attribute) {
  if (attribute <= 0) return false;
  Relation relation = table_open(table, AccessShareLock);
  const char kind = relation->rd_rel->relkind;
  // Foreign tables do not enforce it, and before 17 a child may lack what its parent declares.
  const bool enforced =
      kind != RELKIND_FOREIGN_TABLE && !(kind == RELKIND_RELATION && pg::MayHaveInheritors(table));
  const bool result = enforced && pg::compat::IsKnownNotNull(relation, attribute);
  table_close(relation, NoLock);
  return result;
}

bool NamesForeignOperator(Node* node) { return IsNamelessForeignOperator(node, nullptr); }

}  // namespace tviews::backend::lineage
