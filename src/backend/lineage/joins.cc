#include "backend/lineage/joins.h"

#include "shared/pg/server/image_equality.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include <optimizer/clauses.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

bool Has(const Bitmapset* ids, const Occurrence* occurrence) {
  return bms_is_member(occurrence->id, ids);
}

Bitmapset* NonnullableIn(const PlainArray<Expr*>& conjuncts) {
  Bitmapset* ids = nullptr;
  for (Expr* conjunct : conjuncts) {
    ids =
        bms_add_members(ids, find_nonnullable_rels(reinterpret_cast<Node*>(list_make1(conjunct))));
  }
  return ids;
}

bool CanLead(Node* expr) {
  return IsPureExpression(expr) && !HasSpecialVars(expr) && !NamesForeignOperator(expr);
}

class Reduction {
 public:
  explicit Reduction(ReducedJoins* joins) : joins_(joins) {}

  // Returns the ids that `item` may NULL-extend.
  Bitmapset* Reduce(const JoinItem* item, Bitmapset* nonnull) {
    if (item->leaf != nullptr) return nullptr;
    if (!item->is_left && !item->is_full) return ReduceInner(item, nonnull);
    const JoinItem* left = item->children[0];
    const JoinItem* right = item->children[1];
    const bool left_nonnull = bms_overlap(left->ids, nonnull);
    const bool right_nonnull = bms_overlap(right->ids, nonnull);
    if (item->is_left || left_nonnull) {
      // LEFT, or FULL without rows that only the right side has.
      if (right_nonnull) return ReduceInner(item, nonnull);
      return ReduceLeft(item, left, right, nonnull);
    }
    if (right_nonnull) return ReduceLeft(item, right, left, nonnull);
    Bitmapset* below = bms_union(Reduce(left, nullptr), Reduce(right, nullptr));
    Place(item, JoinKind::kFull, left, right, below);
    return bms_union(below, item->ids);
  }

 private:
  Bitmapset* ReduceInner(const JoinItem* item, Bitmapset* nonnull) {
    Bitmapset* passed = bms_union(nonnull, NonnullableIn(item->conjuncts));
    Bitmapset* below = nullptr;
    for (const JoinItem* child : item->children) {
      below = bms_add_members(below, Reduce(child, passed));
    }
    Place(item, JoinKind::kInner, nullptr, nullptr, below);
    return below;
  }

  Bitmapset* ReduceLeft(const JoinItem* item, const JoinItem* preserved, const JoinItem* nullable,
                        Bitmapset* nonnull) {
    Bitmapset* below =
        bms_union(Reduce(preserved, nonnull), Reduce(nullable, NonnullableIn(item->conjuncts)));
    Place(item, JoinKind::kLeft, preserved, nullable, below);
    return bms_union(below, nullable->ids);
  }

  void Place(const JoinItem* item, JoinKind kind, const JoinItem* preserved,
             const JoinItem* nullable, Bitmapset* below) {
    PlacedConjunct placed = {};
    placed.join = kind;
    placed.preserved = preserved == nullptr ? nullptr : preserved->ids;
    placed.nullable_side = nullable == nullptr ? nullptr : nullable->ids;
    placed.nullable_below = below;
    for (Expr* conjunct : item->conjuncts) {
      placed.expr = conjunct;
      placed.uses = OccurrencesIn(reinterpret_cast<Node*>(conjunct));
      placed.can_lead = CanLead(reinterpret_cast<Node*>(conjunct));
      joins_->conjuncts.Add(placed);
    }
  }

  ReducedJoins* joins_;
};

// A computed occurrence and what it uses. It has no changes of its own, so a path may always leave
// it towards what it uses; the other way only if nothing in the scope can NULL-extend either.
void PlaceLateral(const Scope* scope, ReducedJoins* joins) {
  for (const Occurrence* member : scope->members) {
    if (member->kind != OccurrenceKind::kComputed || !member->can_stand_alone ||
        member->uses == nullptr) {
      continue;
    }
    PlacedConjunct placed = {};
    placed.uses = bms_add_member(bms_copy(member->uses), member->id);
    placed.join = JoinKind::kLateral;
    placed.nullable_below = joins->nullable;
    placed.can_lead = true;
    joins->conjuncts.Add(placed);
  }
}

bool IsStrictIn(const PlacedConjunct& conjunct, const Occurrence* occurrence) {
  return conjunct.expr != nullptr &&
         Has(find_nonnullable_rels(reinterpret_cast<Node*>(list_make1(conjunct.expr))), occurrence);
}

bool Links(const PlacedConjunct& conjunct, const Occurrence* from, const Occurrence* to) {
  return conjunct.can_lead && bms_num_members(conjunct.uses) == 2 && Has(conjunct.uses, from) &&
         Has(conjunct.uses, to);
}

// Only these conditions lead anywhere, see Links.
void FindLinks(const Scope* scope, ReducedJoins* joins) {
  PlainArray<Occurrence*> by_id;
  for (int i = 0; i < scope->members.size(); ++i) {
    joins->links.Add(PlainArray<Link>());
    while (by_id.size() <= scope->members[i]->id) by_id.Add(nullptr);
    by_id[scope->members[i]->id] = scope->members[i];
  }
  const auto member = [&by_id](int id) { return id < by_id.size() ? by_id[id] : nullptr; };
  for (int i = 0; i < joins->conjuncts.size(); ++i) {
    const PlacedConjunct& conjunct = joins->conjuncts[i];
    if (!conjunct.can_lead || bms_num_members(conjunct.uses) != 2) continue;
    const int first = bms_next_member(conjunct.uses, -1);
    Occurrence* const pair[] = {member(first), member(bms_next_member(conjunct.uses, first))};
    for (int side = 0; side < 2; ++side) {
      if (pair[side] != nullptr) joins->links[pair[side]->position].Add({i, pair[1 - side]});
    }
  }
}

// The column of `member` that `conjunct` compares with `expr`, both of one type, by the equality of
// that type, under which equal values are the same.
Expr* ComparedColumn(Expr* conjunct, Expr* expr, const Occurrence* member) {
  Node* const wanted = StripRelabel(reinterpret_cast<Node*>(expr));
  if (conjunct == nullptr || !IsA(conjunct, OpExpr) || !IsA(wanted, Var)) return nullptr;
  auto* const operation = reinterpret_cast<OpExpr*>(conjunct);
  const Oid type = exprType(reinterpret_cast<Node*>(expr));
  const Oid collation = exprCollation(reinterpret_cast<Node*>(expr));
  if (list_length(operation->args) != 2 || operation->opno != EqualityOperatorOf(type) ||
      operation->inputcollid != collation || !pg::IsImageEqual(type, collation)) {
    return nullptr;
  }
  for (int side = 0; side < 2; ++side) {
    auto* const own = static_cast<Node*>(list_nth(operation->args, side));
    Node* const other = StripRelabel(static_cast<Node*>(list_nth(operation->args, 1 - side)));
    Node* const column = StripRelabel(own);
    if (!IsA(column, Var) || !IsA(other, Var) || !equal(other, wanted)) continue;
    if (static_cast<int>(reinterpret_cast<Var*>(column)->varno) != member->id) continue;
    if (exprType(own) == type && exprCollation(own) == collation) {
      return reinterpret_cast<Expr*>(own);
    }
  }
  return nullptr;
}

}  // namespace

Expr* EqualColumn(const ReducedJoins& joins, Expr* expr, const Occurrence* member) {
  for (const PlacedConjunct& conjunct : joins.conjuncts) {
    if (conjunct.join != JoinKind::kInner || bms_overlap(conjunct.uses, joins.nullable)) continue;
    Expr* const column = ComparedColumn(conjunct.expr, expr, member);
    if (column != nullptr) return column;
  }
  return nullptr;
}

Expr* LeadingColumn(const ReducedJoins& joins, Expr* expr, const Occurrence* from,
                    const Occurrence* to) {
  for (const PlacedConjunct& conjunct : joins.conjuncts) {
    if (conjunct.expr == nullptr || !LeadsTo(conjunct, from, to)) continue;
    Expr* const column = ComparedColumn(conjunct.expr, expr, from);
    if (column != nullptr) return column;
  }
  return nullptr;
}

ReducedJoins* ReduceJoins(const Scope* scope, Bitmapset* nonnull) {
  auto* joins = MakePlain<ReducedJoins>();
  if (scope->joins != nullptr) {
    joins->nullable = Reduction(joins).Reduce(scope->joins, nonnull);
    PlaceLateral(scope, joins);
  }
  FindLinks(scope, joins);
  return joins;
}

bool LeadsTo(const PlacedConjunct& conjunct, const Occurrence* from, const Occurrence* to) {
  if (!Links(conjunct, from, to)) return false;
  const bool from_nullable = Has(conjunct.nullable_below, from);
  const bool to_nullable = Has(conjunct.nullable_below, to);
  if (conjunct.join == JoinKind::kLateral && from->kind == OccurrenceKind::kComputed &&
      Has(from->uses, to)) {
    return !to_nullable;
  }
  if (from_nullable) return false;
  switch (conjunct.join) {
    case JoinKind::kInner:
    case JoinKind::kLateral:
      return !to_nullable;
    case JoinKind::kLeft:
      if (!Has(conjunct.nullable_side, from)) return false;
      if (Has(conjunct.nullable_side, to)) return !to_nullable;
      return !to_nullable || IsStrictIn(conjunct, to);
    case JoinKind::kFull:
      return false;
  }
  return false;
}

bool LeadsOut(const PlacedConjunct& conjunct, const Occurrence* from, const Occurrence* to,
              bool to_nullable) {
  if (!Links(conjunct, from, to) || (to_nullable && !IsStrictIn(conjunct, to))) return false;
  if (conjunct.join == JoinKind::kLateral) return true;
  if (Has(conjunct.nullable_below, from)) return false;
  switch (conjunct.join) {
    case JoinKind::kInner:
    case JoinKind::kLateral:
      return true;
    case JoinKind::kLeft:
      return Has(conjunct.nullable_side, from);
    case JoinKind::kFull:
      return false;
  }
  return false;
}

}  // namespace tviews::backend::lineage
