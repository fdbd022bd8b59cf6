#include "shared/pg/planner/keep_partitions.h"

#include "shared/pg/planner/comparison.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/params.h>
#include <nodes/parsenodes.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <optimizer/tlist.h>
#include <rewrite/rewriteManip.h>
#include <utils/array.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// An array that is no index condition is searched for every row. More than a hundred keys are known
// when their statement is planned (key_statement.cc).
constexpr int kMostKeys = 1000;

bool HasFewElements(Node* array, ParamListInfo parameters) {
  Datum value = 0;
  if (IsA(array, Const)) {
    if (reinterpret_cast<Const*>(array)->constisnull) return true;
    value = reinterpret_cast<Const*>(array)->constvalue;
  } else if (IsA(array, Param) && reinterpret_cast<Param*>(array)->paramkind == PARAM_EXTERN) {
    if (parameters == nullptr) return true;
    const int number = reinterpret_cast<Param*>(array)->paramid;
    if (number > parameters->numParams || parameters->paramFetch != nullptr) return false;
    if (parameters->params[number - 1].isnull) return true;
    value = parameters->params[number - 1].value;
  } else {
    return false;
  }
  ArrayType* const elements = DatumGetArrayTypeP(value);
  return ArrayGetNItems(ARR_NDIM(elements), ARR_DIMS(elements)) <= kMostKeys;
}

// In terms of the rows that `subquery` reads; NIL if none of them names few rows.
List* UsableConditions(const List* conditions, int entry, Query* subquery,
                       ParamListInfo parameters) {
  List* usable = NIL;
  ListCell* cell;
  foreach (cell, conditions) {
    auto* const expr = static_cast<Node*>(lfirst(cell));
    Comparison comparison;
    if (!ParseComparison(expr, entry, &comparison)) continue;
    if (!comparison.is_equality &&
        !(IsA(expr, ScalarArrayOpExpr) && HasFewElements(comparison.value, parameters))) {
      continue;
    }
    Node* const translated = TranslateComparison(expr, comparison, entry, subquery);
    if (translated != nullptr) usable = lappend(usable, translated);
  }
  return usable;
}

bool HasPartitionsOnly(const Query* query) {
  if (query->limitCount != nullptr || query->limitOffset != nullptr || query->hasTargetSRFs ||
      query->groupingSets != NIL || query->setOperations != nullptr || query->rowMarks != NIL) {
    return false;
  }
  if (query->groupClause == NIL && (query->hasAggs || query->havingQual != nullptr)) return false;
  // Rows whose windows are not complete must not take part in a DISTINCT.
  if (query->distinctClause == NIL) return query->windowClause != NIL;
  return query->hasDistinctOn && query->windowClause == NIL;
}

bool IsGroupedBy(const Query* query, const SortGroupClause* clause) {
  ListCell* cell;
  foreach (cell, query->groupClause) {
    const auto* const group = static_cast<SortGroupClause*>(lfirst(cell));
    if (group->tleSortGroupRef != clause->tleSortGroupRef) continue;
    return equality_ops_are_compatible(group->eqop, clause->eqop);
  }
  return false;
}

// What the partition column `clause` computes, if that can stand in the level's WHERE.
Node* PartitionColumn(const Query* query, SortGroupClause* clause) {
  auto* const column = reinterpret_cast<Node*>(
      get_sortgroupref_tle(clause->tleSortGroupRef, query->targetList)->expr);
  if (contain_subplans(column) || contain_volatile_functions(column) ||
      contain_agg_clause(column) || contain_window_function(column) ||
      expression_returns_set(column) || !OidIsValid(get_array_type(exprType(column)))) {
    return nullptr;
  }
  // A column that is not grouped by depends on a primary key that is: it has one value per group.
  if (query->groupClause != NIL && !IsA(column, Var) && !IsGroupedBy(query, clause)) return nullptr;
  return column;
}

// ARRAY(the values of a partition column in the wanted rows).
Node* WantedValues(const Query* query, Node* column, const SortGroupClause* clause,
                   List* conditions) {
  Query* const values = static_cast<Query*>(copyObjectImpl(query));
  ListCell* cell;
  foreach (cell, conditions) {
    values->jointree->quals =
        make_and_qual(values->jointree->quals, static_cast<Node*>(copyObjectImpl(lfirst(cell))));
  }
  TargetEntry* const target =
      makeTargetEntry(reinterpret_cast<Expr*>(copyObjectImpl(column)), 1, pstrdup("wanted"), false);
  target->ressortgroupref = 1;
  auto* const distinct = static_cast<SortGroupClause*>(copyObjectImpl(clause));
  distinct->tleSortGroupRef = 1;
  values->targetList = list_make1(target);
  values->distinctClause = list_make1(distinct);
  values->hasDistinctOn = false;
  values->groupClause = NIL;
  values->havingQual = nullptr;
  values->hasAggs = false;
  values->windowClause = NIL;
  values->hasWindowFuncs = false;
  values->sortClause = NIL;
  IncrementVarSublevelsUp(reinterpret_cast<Node*>(values), 1, 1);
  SubLink* const array = makeNode(SubLink);
  array->subLinkType = ARRAY_SUBLINK;
  array->subselect = reinterpret_cast<Node*>(values);
  array->location = -1;
  return reinterpret_cast<Node*>(array);
}

// "column = ANY (wanted values) OR column IS NULL": NULLs are a partition as well.
Node* HasWantedValue(const Query* query, Node* column, const SortGroupClause* clause,
                     List* conditions) {
  ScalarArrayOpExpr* const any = makeNode(ScalarArrayOpExpr);
  any->opno = clause->eqop;
  any->opfuncid = get_opcode(clause->eqop);
  any->useOr = true;
  any->inputcollid = exprCollation(column);
  any->args = list_make2(copyObjectImpl(column), WantedValues(query, column, clause, conditions));
  any->location = -1;
  NullTest* const null = makeNode(NullTest);
  null->arg = reinterpret_cast<Expr*>(copyObjectImpl(column));
  null->nulltesttype = IS_NULL;
  null->argisrow = false;
  null->location = -1;
  return reinterpret_cast<Node*>(makeBoolExpr(OR_EXPR, list_make2(any, null), -1));
}

// True for the rows of the partitions by `clauses` in which wanted rows are. Null if none of the
// columns can be compared.
Node* IsInWantedPartition(const Query* query, List* clauses, List* conditions,
                          Narrowing* narrowing) {
  Node* all = nullptr;
  ListCell* cell;
  foreach (cell, clauses) {
    auto* const clause = static_cast<SortGroupClause*>(lfirst(cell));
    Node* const column = PartitionColumn(query, clause);
    if (column == nullptr || narrowing->copies_left == 0) continue;
    --narrowing->copies_left;
    all = make_and_qual(all, HasWantedValue(query, column, clause, conditions));
  }
  return all;
}

}  // namespace

bool KeepPartitions(const List* conditions, int entry, Query* subquery, Narrowing* narrowing) {
  compat::FlattenGroupedColumns(subquery);
  if (list_member_ptr(narrowing->kept, subquery) || !HasPartitionsOnly(subquery)) return false;
  List* const usable = UsableConditions(conditions, entry, subquery, narrowing->parameters);
  if (usable == NIL) return false;
  List* partitions = NIL;  // of which windows often share one
  ListCell* cell;
  foreach (cell, subquery->windowClause) {
    partitions =
        list_append_unique(partitions, static_cast<WindowClause*>(lfirst(cell))->partitionClause);
  }
  if (subquery->distinctClause != NIL) partitions = list_make1(subquery->distinctClause);
  List* any = NIL;
  foreach (cell, partitions) {
    Node* const one =
        IsInWantedPartition(subquery, static_cast<List*>(lfirst(cell)), usable, narrowing);
    if (one == nullptr) return false;
    any = lappend(any, one);
  }
  Node* const restriction = list_length(any) == 1 ? static_cast<Node*>(linitial(any))
                                                  : reinterpret_cast<Node*>(make_orclause(any));
  subquery->jointree->quals = make_and_qual(subquery->jointree->quals, restriction);
  subquery->hasSubLinks = true;
  narrowing->kept = lappend(narrowing->kept, subquery);
  return true;
}

}  // namespace tviews::pg
