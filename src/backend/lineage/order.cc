#include "backend/lineage/order.h"

#include "backend/lineage/columns.h"
#include "backend/lineage/joins.h"
#include "shared/pg/server/image_equality.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/table.h>
#include <access/tupdesc.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

bool Contains(const PlainArray<Expr*>& expressions, Node* node) {
  for (Expr* expr : expressions) {
    if (equal(expr, node)) return true;
  }
  return false;
}

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

bool IsUniqueRelation(const Occurrence* member, const PlainArray<Expr*>& keys) {
  Relation relation = table_open(member->rte->relid, AccessShareLock);
  bool found = false;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(relation)) {
    found = found || IsKeyWithin(relation, lfirst_oid(cell), member, keys);
  }
  table_close(relation, AccessShareLock);
  return found;
}

bool AreAllWithin(const Scope* scope, List* clauses, const PlainArray<Expr*>& keys) {
  ListCell* cell;
  foreach (cell, clauses) {
    TargetEntry* entry = get_sortgroupclause_tle(static_cast<SortGroupClause*>(lfirst(cell)),
                                                 scope->query->targetList);
    if (!Contains(keys, Globalize(scope, reinterpret_cast<Node*>(entry->expr)))) return false;
  }
  return true;
}

// Rows that are equal in every column are the same for whoever reads them.
bool AreAllColumns(const Occurrence* member, const PlainArray<Expr*>& keys) {
  ListCell* cell;
  foreach (cell, member->child->query->targetList) {
    const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
    bool found = entry->resjunk;
    for (Expr* key : keys) {
      Node* node = StripRelabel(reinterpret_cast<Node*>(key));
      const auto* var = reinterpret_cast<Var*>(node);
      found = found || (IsA(node, Var) && static_cast<int>(var->varno) == member->id &&
                        var->varattno == entry->resno && !IsCoarse(node));
    }
    if (!found) return false;
  }
  return true;
}

// `keys` are looked at from inside: as the subquery's own expressions.
bool IsUniqueSubquery(const Occurrence* member, const PlainArray<Expr*>& keys) {
  const Scope* inside = member->child;
  const Query* query = inside->query;
  if (AreAllColumns(member, keys)) return true;
  if (!member->can_stand_alone || query->setOperations != nullptr || query->hasTargetSRFs ||
      query->groupingSets != NIL) {
    return false;
  }
  PlainArray<Expr*> own;
  for (Expr* key : keys) {
    const auto* var = reinterpret_cast<Var*>(StripRelabel(reinterpret_cast<Node*>(key)));
    if (!IsA(var, Var) || static_cast<int>(var->varno) != member->id) continue;
    Expr* column = OutputOf(inside, var->varattno);
    if (column != nullptr) own.Add(column);
  }
  if (query->groupClause != NIL) return AreAllWithin(inside, query->groupClause, own);
  if (query->hasAggs) return true;
  if (query->distinctClause != NIL && AreAllWithin(inside, query->distinctClause, own)) return true;
  return IsTotalOrder(inside, own);
}

bool IsUnique(const Occurrence* member, const PlainArray<Expr*>& keys) {
  if (member->kind == OccurrenceKind::kRelation) return IsUniqueRelation(member, keys);
  return member->kind == OccurrenceKind::kDerived && IsUniqueSubquery(member, keys);
}

// True if `conjunct` holds for every row of FROM that has a row of `member`.
bool Restricts(const PlacedConjunct& conjunct, const Occurrence* member) {
  if (conjunct.expr == nullptr || bms_is_member(member->id, conjunct.nullable_below)) return false;
  return conjunct.join == JoinKind::kInner ||
         (conjunct.join == JoinKind::kLeft && bms_is_member(member->id, conjunct.nullable_side));
}

// Adds the columns of `member` that conditions equate with what is fixed.
void AddEquated(const Scope* scope, const ReducedJoins* joins, const Bitmapset* fixed,
                const Occurrence* member, PlainArray<Expr*>* keys) {
  for (const PlacedConjunct& conjunct : joins->conjuncts) {
    if (!bms_is_member(member->id, conjunct.uses)) continue;
    if (!Restricts(conjunct, member) || !IsA(conjunct.expr, OpExpr)) continue;
    auto* operation = reinterpret_cast<OpExpr*>(conjunct.expr);
    if (!IsEqualityOperator(operation->opno)) continue;
    Node* sides[] = {StripRelabel(static_cast<Node*>(linitial(operation->args))),
                     StripRelabel(static_cast<Node*>(lsecond(operation->args)))};
    for (int i = 0; i < 2; ++i) {
      if (!IsA(sides[i], Var) ||
          static_cast<int>(reinterpret_cast<Var*>(sides[i])->varno) != member->id ||
          !IsPureExpression(sides[1 - i])) {
        continue;
      }
      bool is_fixed = true;
      const Bitmapset* others = OccurrencesIn(sides[1 - i]);
      for (int id = -1; is_fixed && (id = bms_next_member(others, id)) >= 0;) {
        is_fixed = bms_is_member(id, fixed) || MemberWithId(scope, id) == nullptr;
      }
      if (is_fixed) keys->Add(reinterpret_cast<Expr*>(sides[i]));
    }
  }
}

struct FixedValues {
  const Scope* scope;
  const PlainArray<Expr*>* keys;
  const Bitmapset* fixed;
};

// WalkChildren stops at true: "not fixed".
bool IsOpen(Node* node, void* context) {
  if (node == nullptr) return false;
  const auto* values = static_cast<const FixedValues*>(context);
  if (Contains(*values->keys, node) && !IsCoarse(node)) return false;
  if (IsA(node, Var)) {
    const int id = reinterpret_cast<Var*>(node)->varno;
    return MemberWithId(values->scope, id) != nullptr && !bms_is_member(id, values->fixed);
  }
  if (IsA(node, SubLink)) return !IsTotalOrder(values->scope, *values->keys);
  return WalkChildren(node, IsOpen, context);
}

bool IsCoarseRow(TypeId type) {
  TupleDesc descriptor = lookup_rowtype_tupdesc_copy(type, -1);
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (!attribute->attisdropped &&
        IsCoarse(attribute->atttypid, attribute->atttypmod, attribute->attcollation)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Bitmapset* MembersFixedBy(const Scope* scope, const PlainArray<Expr*>& keys) {
  const ReducedJoins* joins = ReduceJoins(scope, nullptr);
  Bitmapset* fixed = nullptr;
  for (bool found = true; found;) {
    found = false;
    for (const Occurrence* member : scope->members) {
      CHECK_FOR_INTERRUPTS();
      if (bms_is_member(member->id, fixed)) continue;
      PlainArray<Expr*> known;
      for (Expr* key : keys) known.Add(key);
      AddEquated(scope, joins, fixed, member, &known);
      if (!IsUnique(member, known)) continue;
      fixed = bms_add_member(fixed, member->id);
      found = true;
    }
  }
  return fixed;
}

bool IsTotalOrder(const Scope* scope, const PlainArray<Expr*>& keys) {
  const Bitmapset* fixed = MembersFixedBy(scope, keys);
  for (const Occurrence* member : scope->members) {
    if (member->kind != OccurrenceKind::kSublink && !bms_is_member(member->id, fixed)) return false;
  }
  return true;
}

bool IsFixedBy(const Scope* scope, const PlainArray<Expr*>& keys, Node* expr) {
  FixedValues values = {scope, &keys, MembersFixedBy(scope, keys)};
  return !IsOpen(expr, &values);
}

bool AreOutputsFixedBy(const Scope* scope, const PlainArray<Expr*>& keys) {
  FixedValues values = {scope, &keys, MembersFixedBy(scope, keys)};
  ListCell* cell;
  foreach (cell, scope->query->targetList) {
    auto* entry = static_cast<TargetEntry*>(lfirst(cell));
    if (entry->resjunk) continue;
    if (IsOpen(Globalize(scope, reinterpret_cast<Node*>(entry->expr)), &values)) return false;
  }
  return true;
}

bool IsCoarse(TypeId type, int typmod, Oid32 collation) {
  int base_typmod = typmod;
  const Oid base = getBaseTypeAndTypmod(type, &base_typmod);
  // All values of char(n) are padded to the same length.
  if (base == BPCHAROID && base_typmod > 0) return !pg::IsImageEqual(TEXTOID, collation);
  if (base == NUMERICOID) return base_typmod < 0;  // else all have the same scale
  if (OidIsValid(get_element_type(base))) {
    return IsCoarse(get_element_type(base), base_typmod, collation);
  }
  if (OidIsValid(get_range_subtype(base))) {
    return IsCoarse(get_range_subtype(base), -1, get_range_collation(base));
  }
  if (get_typtype(base) == TYPTYPE_COMPOSITE) return IsCoarseRow(base);
  return !pg::IsImageEqual(base, collation);
}

bool IsCoarse(Node* expr) {
  return IsCoarse(exprType(expr), exprTypmod(expr), exprCollation(expr));
}

}  // namespace tviews::backend::lineage
