#include "backend/lineage/columns.h"

#include "backend/lineage/joins.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <optimizer/clauses.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

// Adds `column`, or unites it with what is asked of the same column already.
void AddColumn(const ExitColumn& column, ExitRequest* request) {
  for (ExitColumn& known : request->columns) {
    if (known.number != column.number) continue;
    known.is_strict = known.is_strict || column.is_strict;
    if (known.equality != column.equality ||
        known.equality_collation != column.equality_collation) {
      known.equality = known.equality_collation = InvalidOid;
    }
    return;
  }
  request->columns.Add(column);
}

struct VarCollector {
  const Occurrence* member;
  Bitmapset* attributes;  // offset by FirstLowInvalidHeapAttributeNumber
};

bool CollectVars(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Var)) {
    auto* collector = static_cast<VarCollector*>(context);
    auto* var = reinterpret_cast<Var*>(node);
    if (var->varno == collector->member->id) {
      collector->attributes =
          bms_add_member(collector->attributes, var->varattno - FirstLowInvalidHeapAttributeNumber);
    }
    return false;
  }
  return WalkChildren(node, CollectVars, context);
}

Bitmapset* AttributesIn(const Occurrence* member, Node* node) {
  VarCollector collector = {member, nullptr};
  CollectVars(node, &collector);
  return collector.attributes;
}

bool IsColumn(const Occurrence* member, Node* node, AttrNumber number) {
  node = StripRelabel(node);
  return node != nullptr && IsA(node, Var) && reinterpret_cast<Var*>(node)->varno == member->id &&
         reinterpret_cast<Var*>(node)->varattno == number;
}

void AddConjunctColumns(const Occurrence* member, Expr* conjunct, ExitRequest* request) {
  Bitmapset* attributes = AttributesIn(member, AsNode(conjunct));
  for (int i = -1; (i = bms_next_member(attributes, i)) >= 0;) {
    ExitColumn column;
    column.number = static_cast<AttrNumber>(i + FirstLowInvalidHeapAttributeNumber);
    column.is_strict = IsStrictInColumn(conjunct, member, column.number);
    if (IsA(conjunct, OpExpr)) {
      auto* operation = reinterpret_cast<OpExpr*>(conjunct);
      if (list_length(operation->args) == 2 && IsEqualityOperator(operation->opno) &&
          (IsColumn(member, static_cast<Node*>(linitial(operation->args)), column.number) ||
           IsColumn(member, static_cast<Node*>(lsecond(operation->args)), column.number))) {
        column.equality = operation->opno;
        column.equality_collation = operation->inputcollid;
      }
    }
    AddColumn(column, request);
  }
}

struct Replacement {
  const Occurrence* member;
  const ExitRequest* request;
  const PlainArray<Expr*>* columns;
};

Node* ReplaceVars(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (!IsA(node, Var)) return MutateChildren(node, ReplaceVars, context);
  const auto* replacement = static_cast<const Replacement*>(context);
  auto* var = reinterpret_cast<Var*>(node);
  if (static_cast<int>(var->varno) != replacement->member->id) return node;
  for (int i = 0; i < replacement->columns->size(); ++i) {
    if (replacement->request->columns[i].number != var->varattno) continue;
    return WithCollation(AsNode((*replacement->columns)[i]), var->varcollid);
  }
  elog(ERROR, "lineage lacks column %d", var->varattno);
}

}  // namespace

Occurrence* MemberWithId(const Scope* scope, int id) {
  for (Occurrence* member : scope->members) {
    if (member->id == id) return member;
  }
  return nullptr;
}

bool IsStrictInColumn(Expr* conjunct, const Occurrence* member, AttrNumber number) {
  List* nonnull = find_nonnullable_vars(reinterpret_cast<Node*>(list_make1(conjunct)));
#if PG_VERSION_NUM < 160000
  ListCell* cell;
  foreach (cell, nonnull) {
    if (IsColumn(member, static_cast<Node*>(lfirst(cell)), number)) return true;
  }
  return false;
#else
  return mbms_is_member(member->id, number - FirstLowInvalidHeapAttributeNumber, nonnull);
#endif
}

Expr* OutputOf(const Scope* scope, AttributeNumber number) {
  if (number <= 0 || number > list_length(scope->query->targetList)) return nullptr;
  auto* entry = static_cast<TargetEntry*>(list_nth(scope->query->targetList, number - 1));
  return reinterpret_cast<Expr*>(Globalize(scope, AsNode(entry->expr)));
}

ExitRequest RequestOf(const Occurrence* member, const ExitRequest& outer,
                      const PlainArray<Expr*>& expressions) {
  ExitRequest request;
  for (int i = 0; i < expressions.size(); ++i) {
    if (expressions[i] == nullptr) continue;
    Node* expr = AsNode(expressions[i]);
    Bitmapset* attributes = AttributesIn(member, expr);
    for (int j = -1; (j = bms_next_member(attributes, j)) >= 0;) {
      ExitColumn column;
      column.number = static_cast<AttrNumber>(j + FirstLowInvalidHeapAttributeNumber);
      column.is_strict = outer.columns[i].is_strict && IsStrictExpression(expr);
      if (IsColumn(member, expr, column.number)) {
        column.equality = outer.columns[i].equality;
        column.equality_collation = outer.columns[i].equality_collation;
      }
      AddColumn(column, &request);
    }
  }
  return request;
}

ExitRequest RequestOf(const Occurrence* member, const PlainArray<Expr*>& conjuncts) {
  ExitRequest request;
  for (Expr* conjunct : conjuncts) AddConjunctColumns(member, conjunct, &request);
  return request;
}

Occurrence* FindCarrier(const Scope* scope, const ExitRequest& request,
                        PlainArray<Expr*>* expressions) {
  if (scope->query->setOperations != nullptr) return nullptr;
  Bitmapset* ids = nullptr;
  for (const ExitColumn& column : request.columns) {
    Expr* expr = OutputOf(scope, column.number);
    if (expr == nullptr || !IsPureExpression(AsNode(expr)) || HasSpecialVars(AsNode(expr)) ||
        NamesForeignOperator(AsNode(expr))) {
      return nullptr;
    }
    ids = bms_add_members(ids, OccurrencesIn(AsNode(expr)));
    expressions->Add(expr);
  }
  if (bms_num_members(ids) != 1) return nullptr;
  const int id = bms_singleton_member(ids);
  for (Occurrence* member : scope->members) {
    if (member->id != id || !member->can_stand_alone) continue;
    return bms_is_member(id, ReduceJoins(scope, nullptr)->nullable) ? nullptr : member;
  }
  return nullptr;
}

Expr* ReplaceColumns(Expr* expr, const Occurrence* member, const ExitRequest& request,
                     const PlainArray<Expr*>& columns) {
  Replacement replacement = {member, &request, &columns};
  return reinterpret_cast<Expr*>(ReplaceVars(AsNode(expr), &replacement));
}

}  // namespace tviews::backend::lineage
