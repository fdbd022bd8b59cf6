#include "backend/lineage/undetermined.h"

#include <cstring>

#include "backend/lineage/order.h"
#include "backend/lineage/stable_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <optimizer/tlist.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

struct Undetermined {
  PlainArray<const char*>* reasons;
  const Scope* scope;  // the level that is visited

  void Add(const char* reason) {
    for (const char* known : *reasons) {
      if (strcmp(known, reason) == 0) return;
    }
    reasons->Add(reason);
  }
};

void AddSortKeys(const Scope* scope, List* clauses, List* targets, PlainArray<Expr*>* keys) {
  ListCell* cell;
  foreach (cell, clauses) {
    TargetEntry* entry =
        get_sortgroupclause_tle(static_cast<SortGroupClause*>(lfirst(cell)), targets);
    keys->Add(reinterpret_cast<Expr*>(Globalize(scope, reinterpret_cast<Node*>(entry->expr))));
  }
}

// A grouped level has one row per group; a set operation is not looked into.
bool IsTotalSort(const Scope* scope, List* clauses) {
  if (scope->query->setOperations != nullptr) return false;
  PlainArray<Expr*> keys;
  AddSortKeys(scope, clauses, scope->query->targetList, &keys);
  if (scope->query->groupClause == NIL) return IsTotalOrder(scope, keys);
  PlainArray<Expr*> groups;
  AddSortKeys(scope, scope->query->groupClause, scope->query->targetList, &groups);
  for (Expr* group : groups) {
    bool found = false;
    for (Expr* key : keys) found = found || equal(group, key);
    if (!found) return false;
  }
  return true;
}

bool IsTotalWindow(const Undetermined& found, const WindowFunc* window) {
  ListCell* cell;
  foreach (cell, found.scope->query->windowClause) {
    auto* clause = static_cast<WindowClause*>(lfirst(cell));
    if (clause->winref != window->winref) continue;
    return IsTotalSort(found.scope, list_concat_copy(clause->partitionClause, clause->orderClause));
  }
  return false;
}

// Aggregates of the server whose result depends on the order of their input.
bool DependsOnOrder(Oid function) {
  const char* name = function < FirstNormalObjectId ? get_func_name(function) : nullptr;
  if (name == nullptr) return false;
  for (const char* known : {"array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg",
                            "jsonb_object_agg", "xmlagg"}) {
    if (strcmp(name, known) == 0) return true;
  }
  return false;
}

bool AddsFloats(const Aggref* aggregate) {
  const char* name =
      aggregate->aggfnoid < FirstNormalObjectId ? get_func_name(aggregate->aggfnoid) : nullptr;
  if (name == nullptr || aggregate->aggargtypes == NIL) return false;
  const Oid type = linitial_oid(aggregate->aggargtypes);
  if (type != FLOAT4OID && type != FLOAT8OID) return false;
  return strcmp(name, "min") != 0 && strcmp(name, "max") != 0 && strcmp(name, "count") != 0;
}

// True if the rows that the aggregate's ORDER BY or DISTINCT leaves equal give it equal input.
bool HasFixedInput(const Scope* scope, const Aggref* aggregate) {
  PlainArray<Expr*> keys;
  AddSortKeys(scope, scope->query->groupClause, scope->query->targetList, &keys);
  AddSortKeys(scope, aggregate->aggorder, aggregate->args, &keys);
  AddSortKeys(scope, aggregate->aggdistinct, aggregate->args, &keys);
  ListCell* cell;
  foreach (cell, aggregate->args) {
    auto* argument = static_cast<TargetEntry*>(lfirst(cell));
    Node* expr = Globalize(scope, reinterpret_cast<Node*>(argument->expr));
    if (!argument->resjunk && !IsFixedBy(scope, keys, expr)) return false;
  }
  return true;
}

// Of values that are equal without being the same, min and max return any; of floating-point
// numbers only zeros are like that.
bool ReturnsAnyOfEqual(const Scope* scope, const Aggref* aggregate) {
  const char* name =
      aggregate->aggfnoid < FirstNormalObjectId ? get_func_name(aggregate->aggfnoid) : nullptr;
  if (name == nullptr || (strcmp(name, "min") != 0 && strcmp(name, "max") != 0)) return false;
  Node* argument = reinterpret_cast<Node*>(linitial_node(TargetEntry, aggregate->args)->expr);
  const Oid type = exprType(argument);
  return type != FLOAT4OID && type != FLOAT8OID && IsCoarse(argument) &&
         !HasFixedInput(scope, aggregate);
}

void VisitAggregate(const Aggref* aggregate, Undetermined* found) {
  const char* name = get_func_name(aggregate->aggfnoid);
  if (DependsOnOrder(aggregate->aggfnoid)) {
    if (aggregate->aggorder == NIL && aggregate->aggdistinct == NIL) {
      found->Add(psprintf("%s without ORDER BY depends on the order of rows", name));
    } else if (!HasFixedInput(found->scope, aggregate)) {
      found->Add(psprintf("%s depends on the order of rows that its ORDER BY leaves equal", name));
    }
  }
  if (AddsFloats(aggregate)) {
    found->Add(psprintf("%s of floating-point numbers depends on the order of rows", name));
  }
  if (ReturnsAnyOfEqual(found->scope, aggregate)) {
    found->Add(
        psprintf("%s depends on the order of rows whose values are equal but not the same", name));
  }
}

void VisitWindow(const WindowFunc* window, Undetermined* found) {
  if (IsTotalWindow(*found, window)) return;
  const char* name =
      window->winfnoid < FirstNormalObjectId ? get_func_name(window->winfnoid) : nullptr;
  if (name == nullptr) return;
  for (const char* known :
       {"row_number", "lag", "lead", "ntile", "first_value", "last_value", "nth_value"}) {
    if (strcmp(name, known) == 0) {
      found->Add(psprintf("%s depends on the order of rows that its ORDER BY leaves equal", name));
    }
  }
}

// LINEAGE 28: changes without DML.
void VisitFunction(Oid function, Undetermined* found) {
  if (func_volatile(function) != PROVOLATILE_STABLE) return;
  const char* name = get_func_name(function);
  if (function >= FirstNormalObjectId) {
    found->Add(psprintf("the function %s is STABLE: a change of what it reads is not seen", name));
    return;
  }
  if (KindOfStable(function) == StableKind::kSettings) return;
  found->Add(
      psprintf("%s changes without a change of the sources; documents keep the value "
               "of their last refresh",
               name));
}

bool VisitStableFunction(Oid function, void* context) {
  VisitFunction(function, static_cast<Undetermined*>(context));
  return false;
}

bool VisitExpression(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* found = static_cast<Undetermined*>(context);
  if (IsA(node, Aggref)) VisitAggregate(reinterpret_cast<Aggref*>(node), found);
  if (IsA(node, WindowFunc)) VisitWindow(reinterpret_cast<WindowFunc*>(node), found);
  if (IsA(node, SQLValueFunction)) {
    found->Add(
        "CURRENT_DATE, CURRENT_CATALOG and their like change without a change of the sources; "
        "documents keep the value of their last refresh");
  }
  check_functions_in_node(node, VisitStableFunction, context);
  if (IsA(node, SubLink)) {
    return VisitExpression(reinterpret_cast<SubLink*>(node)->testexpr, context);
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, VisitExpression, context);
}

// GROUP BY and DISTINCT return any of the values that they take for equal.
void VisitGrouping(const Scope* scope, const char* what, List* clauses, Undetermined* found) {
  PlainArray<Expr*> keys;
  AddSortKeys(scope, clauses, scope->query->targetList, &keys);
  for (Expr* key : keys) {
    Node* node = reinterpret_cast<Node*>(key);
    if (!IsCoarse(node) || IsFixedBy(scope, keys, node)) continue;
    found->Add(
        psprintf("%s depends on the order of rows whose values are equal but not the same", what));
  }
}

// The same of UNION, INTERSECT and EXCEPT.
void VisitSetOperation(Node* node, Undetermined* found) {
  if (node == nullptr || !IsA(node, SetOperationStmt)) return;
  auto* operation = reinterpret_cast<SetOperationStmt*>(node);
  VisitSetOperation(operation->larg, found);
  VisitSetOperation(operation->rarg, found);
  if (operation->op == SETOP_UNION && operation->all) return;
  for (int i = 0; i < list_length(operation->colTypes); ++i) {
    if (!IsCoarse(list_nth_oid(operation->colTypes, i), list_nth_int(operation->colTypmods, i),
                  list_nth_oid(operation->colCollations, i))) {
      continue;
    }
    found->Add(
        "a set operation depends on the order of rows whose values are equal but not the same");
  }
}

void VisitScope(const Scope* scope, Undetermined* found) {
  Query* query = scope->query;
  found->scope = scope;
  WalkLevel(query, VisitExpression, found);
  VisitSetOperation(query->setOperations, found);
  VisitGrouping(scope, "GROUP BY", query->groupClause, found);
  if (!query->hasDistinctOn) VisitGrouping(scope, "DISTINCT", query->distinctClause, found);
  const bool is_total = IsTotalSort(scope, query->sortClause);
  if ((query->limitCount != nullptr || query->limitOffset != nullptr) && !is_total) {
    found->Add(query->sortClause == NIL
                   ? "LIMIT without ORDER BY depends on the order of rows"
                   : "LIMIT depends on the order of rows that its ORDER BY leaves equal");
  }
  if (query->hasDistinctOn && !is_total) {
    found->Add("DISTINCT ON depends on the order of rows that its ORDER BY leaves equal");
  }
  for (const Occurrence* member : scope->members) {
    if (member->child != nullptr) VisitScope(member->child, found);
  }
  for (const Scope* recursion : scope->recursions) VisitScope(recursion, found);
}

}  // namespace

void FindUndetermined(const Tree* tree, PlainArray<const char*>* reasons) {
  Undetermined found = {reasons, tree->top};
  VisitScope(tree->top, &found);
}

}  // namespace tviews::backend::lineage
