#include "backend/lineage/row_order.h"

#include "backend/lineage/order.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <optimizer/tlist.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {

void AddSortKeys(const Scope* scope, List* clauses, List* targets, PlainArray<Expr*>* keys) {
  ListCell* cell;
  foreach (cell, clauses) {
    TargetEntry* entry =
        get_sortgroupclause_tle(static_cast<SortGroupClause*>(lfirst(cell)), targets);
    keys->Add(reinterpret_cast<Expr*>(Globalize(scope, reinterpret_cast<Node*>(entry->expr))));
  }
}

namespace {

// True if the sort keys are all that the level returns, and equal values of them are the same.
bool SortsEveryOutput(const Query* query, List* clauses) {
  ListCell* cell;
  foreach (cell, query->targetList) {
    auto* entry = static_cast<TargetEntry*>(lfirst(cell));
    if (entry->resjunk) continue;
    if (IsCoarse(reinterpret_cast<Node*>(entry->expr))) return false;
    ListCell* clause;
    bool found = false;
    foreach (clause, clauses) {
      found = found || static_cast<SortGroupClause*>(lfirst(clause))->tleSortGroupRef ==
                           entry->ressortgroupref;
    }
    if (!found) return false;
  }
  return true;
}

// A grouped level has one row per group.
bool TellsGroupsApart(const Scope* scope, const PlainArray<Expr*>& keys) {
  PlainArray<Expr*> groups;
  AddSortKeys(scope, scope->query->groupClause, scope->query->targetList, &groups);
  for (Expr* group : groups) {
    bool found = false;
    for (Expr* key : keys) found = found || equal(group, key);
    if (!found && !IsFixedBy(scope, keys, reinterpret_cast<Node*>(group))) return false;
  }
  return true;
}

}  // namespace

bool IsTotalSort(const Scope* scope, List* clauses) {
  const Query* query = scope->query;
  if (SortsEveryOutput(query, clauses)) return true;
  if (query->setOperations != nullptr || query->hasTargetSRFs) return false;
  PlainArray<Expr*> keys;
  AddSortKeys(scope, clauses, query->targetList, &keys);
  if (query->groupingSets != NIL) return false;
  if (query->groupClause != NIL) return TellsGroupsApart(scope, keys);
  if (query->hasAggs) return true;  // one row
  return IsTotalOrder(scope, keys);
}

bool IsTotalOrderBy(const Scope* scope) {
  List* const clauses = scope->query->sortClause;
  if (IsTotalSort(scope, clauses)) return true;
  if (scope->query->setOperations != nullptr || scope->query->hasTargetSRFs ||
      scope->query->hasWindowFuncs) {
    return false;
  }
  PlainArray<Expr*> keys;
  AddSortKeys(scope, clauses, scope->query->targetList, &keys);
  return AreOutputsFixedBy(scope, keys);
}

namespace {

bool OrdersItsInput(Node* node, void* /*context*/) {
  if (node == nullptr) return false;
  if (IsA(node, Aggref)) {
    const auto* aggregate = reinterpret_cast<Aggref*>(node);
    if (aggregate->aggorder != NIL || aggregate->aggdistinct != NIL) return true;
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, OrdersItsInput, nullptr);
}

// True if the rows of FROM arrive in one order: those of one subquery that is ordered to the last
// row, and that nothing here sorts anew.
bool HasOrderedInput(const Scope* scope) {
  const Occurrence* only = nullptr;
  for (const Occurrence* member : scope->members) {
    if (member->kind == OccurrenceKind::kSublink) continue;
    if (only != nullptr || member->kind != OccurrenceKind::kDerived) return false;
    only = member;
  }
  if (only == nullptr || only->child == nullptr || scope->query->setOperations != nullptr) {
    return false;
  }
  const Query* const inside = only->child->query;
  if (inside->sortClause != NIL) return IsTotalOrderBy(only->child);
  // One that hands the rows of another on.
  const bool is_plain = inside->groupClause == NIL && inside->distinctClause == NIL &&
                        !inside->hasAggs && !inside->hasWindowFuncs && inside->groupingSets == NIL;
  return is_plain && HasOrderedInput(only->child);
}

}  // namespace

bool GetsOrderedInput(const Scope* scope) {
  const Query* const query = scope->query;
  return query->groupClause == NIL && query->groupingSets == NIL && !query->hasWindowFuncs &&
         query->distinctClause == NIL && query->sortClause == NIL &&
         !OrdersItsInput(reinterpret_cast<Node*>(query->targetList), nullptr) &&
         !OrdersItsInput(query->havingQual, nullptr) && HasOrderedInput(scope);
}

}  // namespace tviews::backend::lineage
