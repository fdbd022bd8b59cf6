#include "backend/lineage_undetermined.h"

#include <cstring>

#include "shared/pg/postgres_begin.h"
#include <access/genam.h>
#include <access/table.h>
#include <access/transam.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <optimizer/tlist.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include "shared/pg/postgres_end.h"

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

// True if `index` is a unique key of `relation`, without NULLs, all of whose columns are among
// `keys` as columns of `member`.
bool IsKeyWithin(Relation relation, Oid index_id, const Occurrence* member,
                 const PlainArray<Expr*>& keys) {
  Relation index = index_open(index_id, AccessShareLock);
  bool found = index->rd_index->indisunique && index->rd_index->indimmediate &&
               RelationGetIndexPredicate(index) == NIL;
  for (int i = 0; found && i < index->rd_index->indnkeyatts; ++i) {
    const AttrNumber attribute = index->rd_index->indkey.values[i];
    found = attribute > 0 && IsDeclaredNotNull(RelationGetRelid(relation), attribute);
    bool is_key = false;
    for (Expr* key : keys) {
      const auto* var = reinterpret_cast<Var*>(StripRelabel(reinterpret_cast<Node*>(key)));
      is_key = is_key || (IsA(var, Var) && static_cast<int>(var->varno) == member->id &&
                          var->varattno == attribute);
    }
    found = found && is_key;
  }
  index_close(index, AccessShareLock);
  return found;
}

// True if ordering by `keys` (global form) leaves no two rows of `member` equal.
bool OrdersUniquely(const Occurrence* member, const PlainArray<Expr*>& keys) {
  Relation relation = table_open(member->rte->relid, AccessShareLock);
  bool found = false;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(relation)) {
    found = found || IsKeyWithin(relation, lfirst_oid(cell), member, keys);
  }
  table_close(relation, AccessShareLock);
  return found;
}

// The columns of `member` that conditions equate with other members' expressions: for rows that are
// fixed otherwise they are fixed too.
void AddEquated(const JoinItem* item, const Occurrence* member, PlainArray<Expr*>* keys) {
  for (Expr* conjunct : item->conjuncts) {
    if (!IsA(conjunct, OpExpr) || !IsEqualityOperator(reinterpret_cast<OpExpr*>(conjunct)->opno)) {
      continue;
    }
    List* arguments = reinterpret_cast<OpExpr*>(conjunct)->args;
    Node* sides[] = {StripRelabel(static_cast<Node*>(linitial(arguments))),
                     StripRelabel(static_cast<Node*>(lsecond(arguments)))};
    for (int i = 0; i < 2; ++i) {
      if (IsA(sides[i], Var) && !bms_is_member(member->id, OccurrencesIn(sides[1 - i]))) {
        keys->Add(reinterpret_cast<Expr*>(sides[i]));
      }
    }
  }
  for (const JoinItem* child : item->children) AddEquated(child, member, keys);
}

// True if no two rows of the level's FROM are equal in `keys`: one table is ordered by a unique key
// and each other one joined by one.
bool IsTotalOrder(const Scope* scope, const PlainArray<Expr*>& keys) {
  bool is_anchored = false;
  for (const Occurrence* member : scope->members) {
    if (member->kind == OccurrenceKind::kSublink) continue;
    if (member->kind != OccurrenceKind::kRelation) return false;
    if (OrdersUniquely(member, keys)) {
      is_anchored = true;
      continue;
    }
    PlainArray<Expr*> equated;
    AddEquated(scope->joins, member, &equated);
    if (!OrdersUniquely(member, equated)) return false;
  }
  return is_anchored;
}

void AddSortKeys(const Scope* scope, List* clauses, PlainArray<Expr*>* keys) {
  ListCell* cell;
  foreach (cell, clauses) {
    TargetEntry* entry = get_sortgroupclause_tle(static_cast<SortGroupClause*>(lfirst(cell)),
                                                 scope->query->targetList);
    keys->Add(reinterpret_cast<Expr*>(Globalize(scope, reinterpret_cast<Node*>(entry->expr))));
  }
}

// A grouped level has one row per group; a set operation is not looked into.
bool IsTotalSort(const Scope* scope, List* clauses) {
  if (scope->query->setOperations != nullptr) return false;
  PlainArray<Expr*> keys;
  AddSortKeys(scope, clauses, &keys);
  if (scope->query->groupClause == NIL) return IsTotalOrder(scope, keys);
  PlainArray<Expr*> groups;
  AddSortKeys(scope, scope->query->groupClause, &groups);
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

void VisitAggregate(const Aggref* aggregate, Undetermined* found) {
  if (DependsOnOrder(aggregate->aggfnoid) && aggregate->aggorder == NIL &&
      aggregate->aggdistinct == NIL) {
    found->Add(psprintf("%s without ORDER BY depends on the order of rows",
                        get_func_name(aggregate->aggfnoid)));
  }
  if (AddsFloats(aggregate)) {
    found->Add(psprintf("%s of floating-point numbers depends on the order of rows",
                        get_func_name(aggregate->aggfnoid)));
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
  for (const char* known :
       {"now", "transaction_timestamp", "statement_timestamp", "age", "current_setting",
        "current_database", "current_schema", "current_schemas", "pg_is_in_recovery",
        "current_user", "session_user", "inet_client_addr", "pg_get_userbyid"}) {
    if (strcmp(name, known) == 0) {
      found->Add(
          psprintf("%s changes without a change of the sources; documents keep the value "
                   "of their last refresh",
                   name));
    }
  }
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
        "CURRENT_DATE, CURRENT_USER and their like change without a change of the sources; "
        "documents keep the value of their last refresh");
  }
  check_functions_in_node(node, VisitStableFunction, context);
  if (IsA(node, SubLink)) {
    return VisitExpression(reinterpret_cast<SubLink*>(node)->testexpr, context);
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, VisitExpression, context);
}

void VisitScope(const Scope* scope, Undetermined* found) {
  Query* query = scope->query;
  found->scope = scope;
  WalkLevel(query, VisitExpression, found);
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
