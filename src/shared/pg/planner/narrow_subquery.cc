#include "shared/pg/planner/narrow_subquery.h"

#include "shared/pg/planner/comparison.h"
#include "shared/pg/planner/join_places.h"
#include "shared/pg/planner/keep_partitions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <rewrite/rewriteManip.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

bool CollationsAgree(Oid left, Oid right) {
  if (left == right) return true;
  return (!OidIsValid(left) || get_collation_isdeterministic(left)) &&
         (!OidIsValid(right) || get_collation_isdeterministic(right));
}

// True if all values that `clause` takes for equal are the same to the comparison.
bool Agrees(const Comparison& comparison, const SortGroupClause* clause, Oid collation) {
  return equality_ops_are_compatible(comparison.operator_id, clause->eqop) &&
         CollationsAgree(comparison.collation, collation);
}

bool IsGroupedBy(const Comparison& comparison, const TargetEntry* column, List* clauses) {
  if (column->ressortgroupref == 0) return false;
  ListCell* cell;
  foreach (cell, clauses) {
    const auto* const clause = static_cast<SortGroupClause*>(lfirst(cell));
    if (clause->tleSortGroupRef != column->ressortgroupref) continue;
    return Agrees(comparison, clause, exprCollation(reinterpret_cast<Node*>(column->expr)));
  }
  return false;
}

bool MayPass(const Comparison& comparison, const Query* query) {
  if (query->limitCount != nullptr || query->limitOffset != nullptr || query->hasTargetSRFs ||
      query->groupingSets != NIL || query->setOperations != nullptr) {
    return false;
  }
  if (query->groupClause == NIL && (query->hasAggs || query->havingQual != nullptr)) return false;
  const TargetEntry* const column =
      get_tle_by_resno(query->targetList, comparison.column->varattno);
  if (query->groupClause != NIL && !IsGroupedBy(comparison, column, query->groupClause)) {
    return false;
  }
  if (query->distinctClause != NIL && !IsGroupedBy(comparison, column, query->distinctClause)) {
    return false;
  }
  ListCell* cell;
  foreach (cell, query->windowClause) {
    const auto* const window = static_cast<WindowClause*>(lfirst(cell));
    if (!IsGroupedBy(comparison, column, window->partitionClause)) return false;
  }
  return true;
}

bool SetOperationsPass(const Comparison& comparison, Node* node) {
  if (!IsA(node, SetOperationStmt)) return true;
  auto* const operation = reinterpret_cast<SetOperationStmt*>(node);
  if (operation->groupClauses != NIL) {
    const int place = comparison.column->varattno - 1;
    const auto* const clause =
        static_cast<SortGroupClause*>(list_nth(operation->groupClauses, place));
    if (!Agrees(comparison, clause, list_nth_oid(operation->colCollations, place))) return false;
  }
  return SetOperationsPass(comparison, operation->larg) &&
         SetOperationsPass(comparison, operation->rarg);
}

void AddBranches(Node* node, List** branches) {
  if (IsA(node, RangeTblRef)) {
    *branches = lappend_int(*branches, reinterpret_cast<RangeTblRef*>(node)->rtindex);
    return;
  }
  auto* const operation = reinterpret_cast<SetOperationStmt*>(node);
  AddBranches(operation->larg, branches);
  AddBranches(operation->rarg, branches);
}

void AddCondition(Query* query, Node* expr) {
  query->jointree->quals = make_and_qual(query->jointree->quals, expr);
}

// Below levels that return their rows one by one: the server merges these, and so does not hand
// the value on by itself.
bool HandFurtherDown(Node* expr, const Comparison& comparison, Query* query, Narrowing* narrowing) {
  Node* const source = compat::FlattenJoinAliases(
      query, reinterpret_cast<Node*>(
                 get_tle_by_resno(query->targetList, comparison.column->varattno)->expr));
  Node* const stripped = StripRelabel(source);
  if (!IsA(stripped, Var)) return false;
  const auto* const column = reinterpret_cast<Var*>(stripped);
  if (column->varlevelsup != 0) return false;
  const int below = static_cast<int>(column->varno);
  RangeTblEntry* const entry = rt_fetch(below, query->rtable);
  if (entry->rtekind != RTE_SUBQUERY || entry->security_barrier) return false;
  if (!MayRestrict(reinterpret_cast<Node*>(query->jointree), below)) return false;
  return HandDown(compat::FlattenJoinAliases(query, expr), below, entry->subquery, narrowing);
}

}  // namespace

bool IsOpen(const Query* query) {
  return query->groupClause == NIL && query->groupingSets == NIL && !query->hasAggs &&
         query->havingQual == nullptr && query->distinctClause == NIL &&
         query->windowClause == NIL && !query->hasTargetSRFs && query->limitCount == nullptr &&
         query->limitOffset == nullptr && query->setOperations == nullptr;
}

Node* PassOn(Node* expr, int entry, Query* subquery) {
  Comparison comparison;
  if (!ParseComparison(expr, entry, &comparison)) return nullptr;
  compat::FlattenGroupedColumns(subquery);
  if (!MayPass(comparison, subquery)) return nullptr;
  Node* const passed = TranslateComparison(expr, comparison, entry, subquery);
  return passed == nullptr ? nullptr : compat::FlattenJoinAliases(subquery, passed);
}

Node* PassOnToBranch(Node* expr, int entry, Query* subquery, int branch) {
  Comparison comparison;
  if (!ParseComparison(expr, entry, &comparison)) return nullptr;
  if (subquery->limitCount != nullptr || subquery->limitOffset != nullptr) return nullptr;
  if (!SetOperationsPass(comparison, subquery->setOperations)) return nullptr;
  // The columns of a set operation are those of its first branch.
  Node* const passed = TranslateComparison(expr, comparison, entry, subquery);
  if (passed != nullptr) ChangeVarNodes(passed, linitial_int(BranchesOf(subquery)), branch, 0);
  return passed;
}

List* BranchesOf(const Query* query) {
  List* branches = NIL;
  AddBranches(query->setOperations, &branches);
  return branches;
}

bool HandDown(Node* expr, int entry, Query* subquery, Narrowing* narrowing) {
  Comparison comparison;
  if (!ParseComparison(expr, entry, &comparison)) return false;
  if (subquery->setOperations != nullptr) {
    bool is_narrower = false;
    ListCell* cell;
    foreach (cell, BranchesOf(subquery)) {
      const int branch = lfirst_int(cell);
      Query* const query = rt_fetch(branch, subquery->rtable)->subquery;
      Node* const passed = PassOnToBranch(expr, entry, subquery, branch);
      if (passed == nullptr) continue;
      Node* const added = IsOpen(query) ? PassOn(passed, branch, query) : nullptr;
      if (added != nullptr) AddCondition(query, added);
      if (added != nullptr || HandDown(passed, branch, query, narrowing)) is_narrower = true;
    }
    return is_narrower;
  }
  Node* const passed = PassOn(expr, entry, subquery);
  if (passed == nullptr) {
    return KeepPartitions(list_make1(expr), entry, subquery, narrowing);
  }
  if (IsOpen(subquery)) return HandFurtherDown(passed, comparison, subquery, narrowing);
  AddCondition(subquery, passed);
  return true;
}

}  // namespace tviews::pg
