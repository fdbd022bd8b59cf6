#include "backend/lineage/undetermined.h"

#include <cstring>
#include <initializer_list>

#include "backend/lineage/clock.h"
#include "backend/lineage/order.h"
#include "backend/lineage/row_order.h"
#include "backend/lineage/stable_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/dependency.h>
#include <catalog/pg_aggregate.h>
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
  bool has_clock;      // now() is the frontier's time

  void Add(const char* reason) {
    for (const char* known : *reasons) {
      if (strcmp(known, reason) == 0) return;
    }
    reasons->Add(reason);
  }
};

const WindowClause* ClauseOf(const Scope* scope, const WindowFunc* window) {
  ListCell* cell;
  foreach (cell, scope->query->windowClause) {
    auto* clause = static_cast<WindowClause*>(lfirst(cell));
    if (clause->winref == window->winref) return clause;
  }
  return nullptr;
}

List* OrderOf(const WindowClause* clause) {
  return list_concat_copy(clause->partitionClause, clause->orderClause);
}

// Null for a function of a user.
const char* NameOfServers(Oid function) {
  return function < FirstNormalObjectId ? get_func_name(function) : nullptr;
}

bool IsNamed(const char* name, std::initializer_list<const char*> list) {
  for (const char* known : list) {
    if (name != nullptr && strcmp(name, known) == 0) return true;
  }
  return false;
}

bool BeginsWith(const char* name, const char* prefix) {
  return name != nullptr && strncmp(name, prefix, strlen(prefix)) == 0;
}

// Aggregates whose result depends on the order of their input. Of a user's nobody knows.
bool DependsOnOrder(Oid function) {
  const char* const name = NameOfServers(function);
  return name == nullptr || IsNamed(name, {"array_agg", "string_agg", "xmlagg", "any_value"}) ||
         BeginsWith(name, "json_agg") || BeginsWith(name, "jsonb_agg") ||
         BeginsWith(name, "json_object_agg") || BeginsWith(name, "jsonb_object_agg");
}

// Each addition rounds.
bool AddsFloats(const char* name, Oid type) {
  if (type != FLOAT4OID && type != FLOAT8OID) return false;
  return name != nullptr && !IsNamed(name, {"min", "max", "count"});
}

// The server's aggregates in the standard's form sort their input themselves, by these values.
bool SortsItsInput(const Aggref* aggregate) {
  return aggregate->aggkind != AGGKIND_NORMAL && NameOfServers(aggregate->aggfnoid) != nullptr;
}

// A document has each key once, with the last value: equal keys need equal values.
bool IsObjectOfFixedValues(const Scope* scope, const Aggref* aggregate) {
  if (!BeginsWith(NameOfServers(aggregate->aggfnoid), "jsonb_object_agg")) return false;
  PlainArray<Expr*> keys;
  AddSortKeys(scope, scope->query->groupClause, scope->query->targetList, &keys);
  auto* const key = linitial_node(TargetEntry, aggregate->args);
  auto* const value = lsecond_node(TargetEntry, aggregate->args);
  keys.Add(reinterpret_cast<Expr*>(Globalize(scope, reinterpret_cast<Node*>(key->expr))));
  return IsFixedBy(scope, keys, Globalize(scope, reinterpret_cast<Node*>(value->expr)));
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

// True if a group has one value.
bool IsFixedWithinGroup(const Scope* scope, const Aggref* aggregate) {
  PlainArray<Expr*> keys;
  AddSortKeys(scope, scope->query->groupClause, scope->query->targetList, &keys);
  ListCell* cell;
  foreach (cell, aggregate->args) {
    auto* argument = static_cast<TargetEntry*>(lfirst(cell));
    if (!IsFixedBy(scope, keys, Globalize(scope, reinterpret_cast<Node*>(argument->expr)))) {
      return false;
    }
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

// The server says that mode takes any of the values that are equally frequent.
void VisitOrderedSet(const Aggref* aggregate, Undetermined* found) {
  const char* name = get_func_name(aggregate->aggfnoid);
  const bool is_mode = IsNamed(name, {"mode"});
  bool is_coarse = false;
  ListCell* cell;
  foreach (cell, aggregate->args) {
    is_coarse = is_coarse ||
                IsCoarse(reinterpret_cast<Node*>(static_cast<TargetEntry*>(lfirst(cell))->expr));
  }
  if (HasFixedInput(found->scope, aggregate) && !is_mode) return;
  if (is_mode && !IsFixedWithinGroup(found->scope, aggregate)) {
    found->Add("mode takes any of the values that are equally frequent");
  } else if (is_coarse && IsNamed(name, {"percentile_disc"})) {
    found->Add(
        psprintf("%s depends on the order of rows whose values are equal but not the same", name));
  }
}

void VisitAggregate(const Aggref* aggregate, Undetermined* found) {
  const char* name = get_func_name(aggregate->aggfnoid);
  if (SortsItsInput(aggregate)) return VisitOrderedSet(aggregate, found);
  const bool has_order = aggregate->aggorder != NIL || aggregate->aggdistinct != NIL;
  const Oid type =
      aggregate->aggargtypes == NIL ? InvalidOid : linitial_oid(aggregate->aggargtypes);
  const bool adds_floats = AddsFloats(NameOfServers(aggregate->aggfnoid), type);
  // One of an outer level is met below it, where its rows are not known.
  const bool is_fixed =
      aggregate->agglevelsup == 0 &&
      (HasFixedInput(found->scope, aggregate) || IsObjectOfFixedValues(found->scope, aggregate) ||
       GetsOrderedInput(found->scope));
  if (aggregate->args != NIL && (DependsOnOrder(aggregate->aggfnoid) || adds_floats) && !is_fixed) {
    if (adds_floats && !has_order) {
      found->Add(psprintf("%s of floating-point numbers depends on the order of rows", name));
    } else if (!has_order) {
      found->Add(psprintf("%s without ORDER BY depends on the order of rows", name));
    } else {
      found->Add(psprintf("%s depends on the order of rows that its ORDER BY leaves equal", name));
    }
  }
  if (ReturnsAnyOfEqual(found->scope, aggregate)) {
    found->Add(
        psprintf("%s depends on the order of rows whose values are equal but not the same", name));
  }
}

// True if rows that the window's order leaves equal give the function equal arguments.
bool HasFixedArguments(const Scope* scope, List* order, const WindowFunc* window) {
  PlainArray<Expr*> keys;
  AddSortKeys(scope, order, scope->query->targetList, &keys);
  for (Node* part :
       {reinterpret_cast<Node*>(window->args), reinterpret_cast<Node*>(window->aggfilter)}) {
    if (part != nullptr && !IsFixedBy(scope, keys, Globalize(scope, part))) return false;
  }
  return true;
}

// True if which rows are in the frame depends on their places, not on their values.
bool CountsRows(const WindowClause* clause) {
  constexpr int kWhole =
      FRAMEOPTION_START_UNBOUNDED_PRECEDING | FRAMEOPTION_END_UNBOUNDED_FOLLOWING;
  return (clause->frameOptions & FRAMEOPTION_ROWS) != 0 &&
         (clause->frameOptions & kWhole) != kWhole;
}

void VisitWindow(const WindowFunc* window, Undetermined* found) {
  const WindowClause* const clause = ClauseOf(found->scope, window);
  if (clause == nullptr) return;
  List* const order = OrderOf(clause);
  if (IsTotalSort(found->scope, order)) return;
  const char* const name = NameOfServers(window->winfnoid);
  const Oid type =
      window->args == NIL ? InvalidOid : exprType(static_cast<Node*>(linitial(window->args)));
  const bool takes_from_frame = IsNamed(name, {"first_value", "last_value", "nth_value"});
  bool depends = false;
  if (IsNamed(name, {"rank", "dense_rank", "percent_rank", "cume_dist"})) return;
  if (IsNamed(name, {"row_number", "lag", "lead", "ntile"})) {
    depends = true;
  } else if ((window->winagg || takes_from_frame) && CountsRows(clause)) {
    depends = true;
  } else if (!window->winagg && !takes_from_frame) {
    depends = true;  // a user's
  } else {
    depends = (takes_from_frame || DependsOnOrder(window->winfnoid) || AddsFloats(name, type)) &&
              !HasFixedArguments(found->scope, order, window);
  }
  if (!depends) return;
  found->Add(psprintf("%s depends on the order of rows that its ORDER BY leaves equal",
                      get_func_name(window->winfnoid)));
}

// An array has its rows in the order in which they come.
void VisitArray(const SubLink* sublink, Undetermined* found) {
  for (const Occurrence* member : found->scope->members) {
    const Scope* const inside = member->child;
    if (member->kind != OccurrenceKind::kSublink || inside == nullptr ||
        reinterpret_cast<Node*>(inside->query) != sublink->subselect) {
      continue;
    }
    if (IsTotalOrderBy(inside) || GetsOrderedInput(inside)) return;
    found->Add(
        inside->query->sortClause == NIL
            ? "ARRAY(SELECT ...) without ORDER BY depends on the order of rows"
            : "ARRAY(SELECT ...) depends on the order of rows that its ORDER BY leaves equal");
  }
}

// LINEAGE 28: changes without DML. What functions of users read is known, or declared; those of an
// extension are taken for what they say.
void VisitFunction(Oid function, Undetermined* found) {
  if (func_volatile(function) != PROVOLATILE_STABLE) return;
  const char* name = get_func_name(function);
  if (function >= FirstNormalObjectId) {
    if (!OidIsValid(getExtensionOfObject(ProcedureRelationId, function))) return;
    found->Add(psprintf("the function %s is STABLE: a change of what it reads is not seen", name));
    return;
  }
  const StableKind kind = KindOfStable(function);
  if (kind == StableKind::kSettings) return;
  if (kind == StableKind::kClock && found->has_clock) return;
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
  if (IsA(node, SQLValueFunction) && !(found->has_clock && IsClock(node))) {
    found->Add(
        "CURRENT_DATE, CURRENT_CATALOG and their like change without a change of the sources; "
        "documents keep the value of their last refresh");
  }
  check_functions_in_node(node, VisitStableFunction, context);
  if (IsA(node, SubLink) && reinterpret_cast<SubLink*>(node)->subLinkType == ARRAY_SUBLINK) {
    VisitArray(reinterpret_cast<SubLink*>(node), found);
  }
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
  const bool is_total =
      !(query->limitCount != nullptr || query->limitOffset != nullptr || query->hasDistinctOn) ||
      IsTotalOrderBy(scope);
  const bool cuts = query->limitOffset != nullptr ||
                    (query->limitCount != nullptr && query->limitOption != LIMIT_OPTION_WITH_TIES);
  if (cuts && !is_total) {
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

void FindUndetermined(const Tree* tree, bool has_clock, PlainArray<const char*>* reasons) {
  Undetermined found = {reasons, tree->top, has_clock};
  VisitScope(tree->top, &found);
}

}  // namespace tviews::backend::lineage
