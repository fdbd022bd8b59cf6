#include "backend/lineage/hops.h"

#include <climits>

#include "backend/lineage/never_null.h"
#include "backend/lineage/paths.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// The price of a hop; only their order matters.
constexpr int kHopCost = 10;
constexpr int kComputedCost = 5;  // more, for a function or VALUES
constexpr int kDerivedCost = 40;  // more, for joining a whole subquery
constexpr int kUnequalCost = 90;  // more, for a condition that is no equality

struct Candidate {
  int cost = INT_MAX;
  Occurrence* from = nullptr;
  Occurrence* to = nullptr;
  Level* to_level = nullptr;
  bool assumes_goal = false;
};

bool CanJoin(const Occurrence* member, Hops hops) {
  return member->can_stand_alone &&
         (hops == Hops::kToAll || member->kind != OccurrenceKind::kDerived);
}

bool IsNullable(const Level* level, const Occurrence* member) {
  const ReducedJoins* joins =
      level->states[member->position].assumes_goal ? level->for_goal : level->plain;
  return bms_is_member(member->id, joins->nullable);
}

void Offer(const Candidate& candidate, Candidate* best) {
  if (candidate.cost < best->cost) *best = candidate;
}

bool IsEquality(Expr* conjunct) {
  return IsA(conjunct, OpExpr) && IsEqualityOperator(reinterpret_cast<OpExpr*>(conjunct)->opno);
}

// True if the sources inside the subquery `from` can leave it by `conjunct`.
bool CanFollow(Occurrence* from, Expr* conjunct) {
  if (conjunct == nullptr) return false;
  for (Expr* known : from->followable) {
    if (known == conjunct) return true;
  }
  for (Expr* known : from->dead_ends) {
    if (known == conjunct) return false;
  }
  PlainArray<Expr*> conjuncts;
  conjuncts.Add(conjunct);
  const bool result = CanLeave(from->child, RequestOf(from, conjuncts));
  (result ? from->followable : from->dead_ends).Add(conjunct);
  return result;
}

// Of hops that cost the same, that to the member which comes first in the query is taken.
void ConsiderLink(Level* level, Occurrence* from, const Link& link, const ReducedJoins& joins,
                  Hops hops, Candidate* nearest) {
  Occurrence* const to = link.other;
  if (to == nullptr || to == from || !CanJoin(to, hops)) return;
  const MemberState& state = level->states[to->position];
  if (state.step == Step::kNone) return;
  if (&joins != (state.assumes_goal ? level->for_goal : level->plain)) return;
  const PlacedConjunct& conjunct = joins.conjuncts[link.conjunct];
  if (!LeadsTo(conjunct, from, to)) return;
  const int cost = state.cost + HopCost(conjunct.expr, from, to);
  if (cost > nearest->cost || (cost == nearest->cost && nearest->from != nullptr &&
                               nearest->to->position <= to->position)) {
    return;
  }
  *nearest = {cost, from, to, level, state.assumes_goal};
}

// Hops within the level.
void ConsiderHops(Level* level, Occurrence* from, Hops hops, Candidate* best) {
  Candidate nearest;
  for (const Link& link : level->plain->links[from->position]) {
    ConsiderLink(level, from, link, *level->plain, hops, &nearest);
  }
  if (level->for_goal != level->plain) {
    for (const Link& link : level->for_goal->links[from->position]) {
      ConsiderLink(level, from, link, *level->for_goal, hops, &nearest);
    }
  }
  if (nearest.from != nullptr) Offer(nearest, best);
}

// Hops to members of levels around.
void ConsiderWayOut(Level* level, Occurrence* from, Hops hops, Candidate* best) {
  for (const Link& link : level->plain->links[from->position]) {
    if (link.other != nullptr) continue;
    const PlacedConjunct& conjunct = level->plain->conjuncts[link.conjunct];
    for (Level* outer = level->outer; outer != nullptr; outer = outer->outer) {
      for (Occurrence* to : outer->scope->members) {
        const MemberState& state = outer->states[to->position];
        if (state.step == Step::kNone || !CanJoin(to, hops)) continue;
        if (!LeadsOut(conjunct, from, to, IsNullable(outer, to))) continue;
        Offer({state.cost + HopCost(conjunct.expr, from, to), from, to, outer, false}, best);
      }
    }
  }
}

// Of the conditions that lead from the subquery `from`, keeps as many as its inside can follow
// together; all if it can follow none.
void KeepFollowable(const Occurrence* from, PlainArray<Expr*>* conjuncts) {
  PlainArray<Expr*> kept;
  for (Expr* conjunct : *conjuncts) {
    kept.Add(conjunct);
    if (!CanLeave(from->child, RequestOf(from, kept))) kept.Truncate(kept.size() - 1);
  }
  if (!kept.empty()) *conjuncts = kept;
}

void Take(Level* level, const Candidate& best) {
  MemberState& state = level->states[best.from->position];
  state.step = Step::kHop;
  state.cost = best.cost;
  state.assumes_goal = best.assumes_goal;
  state.next = best.to;
  state.next_level = best.to_level;
  const bool is_inside = best.to_level == level;
  const ReducedJoins* joins = best.assumes_goal ? level->for_goal : level->plain;
  for (const PlacedConjunct& conjunct : joins->conjuncts) {
    const bool leads =
        is_inside ? LeadsTo(conjunct, best.from, best.to)
                  : LeadsOut(conjunct, best.from, best.to, IsNullable(best.to_level, best.to));
    if (!leads) continue;
    if (conjunct.expr == nullptr) {
      state.is_lateral = true;
    } else {
      state.conjuncts.Add(conjunct.expr);
    }
  }
  if (best.from->child != nullptr) KeepFollowable(best.from, &state.conjuncts);
}

// The test compares two columns that are never NULL.
bool IsNeverNull(const Occurrence* member, const Occurrence* to) {
  ListCell* cell;
  foreach (cell, reinterpret_cast<OpExpr*>(member->test)->args) {
    Node* side = StripRelabel(static_cast<Node*>(lfirst(cell)));
    if (!IsA(side, Var)) return false;
    auto* var = reinterpret_cast<Var*>(side);
    const bool never = var->varno == to->id ? IsMemberColumnNeverNull(to, var->varattno)
                                            : IsOutputNeverNull(member->child, var->varattno);
    if (!never) return false;
  }
  return true;
}

}  // namespace

bool IsWaiting(const Level* level, const Occurrence* member) {
  const MemberState& state = level->states[member->position];
  return state.step == Step::kNone && state.inside == nullptr &&
         member->kind != OccurrenceKind::kSublink;
}

int HopCost(Expr* conjunct, Occurrence* from, const Occurrence* to) {
  int cost = kHopCost;
  if (to->kind == OccurrenceKind::kDerived) cost += kDerivedCost;
  if (to->kind == OccurrenceKind::kComputed) cost += kComputedCost;
  if (conjunct != nullptr && !IsEquality(conjunct)) cost += kUnequalCost;
  if (from->child != nullptr && !CanFollow(from, conjunct)) cost += kDeadEndCost;
  return cost;
}

bool TakeCheapest(Level* level, Hops hops) {
  CHECK_FOR_INTERRUPTS();
  Candidate best;
  for (Occurrence* member : level->scope->members) {
    if (!IsWaiting(level, member)) continue;
    ConsiderHops(level, member, hops, &best);
    ConsiderWayOut(level, member, hops, &best);
  }
  if (best.from == nullptr) return false;
  Take(level, best);
  return true;
}

void FindTestHop(Level* level, Occurrence* member) {
  PlacedConjunct test = {};
  test.expr = member->test;
  test.uses = OccurrencesIn(reinterpret_cast<Node*>(test.expr));
  test.join = JoinKind::kInner;
  test.can_lead = IsPureExpression(reinterpret_cast<Node*>(test.expr)) &&
                  !HasSpecialVars(reinterpret_cast<Node*>(test.expr)) &&
                  !NamesForeignOperator(reinterpret_cast<Node*>(test.expr));
  for (Level* around = level; around != nullptr; around = around->outer) {
    for (Occurrence* to : around->scope->members) {
      const MemberState& goal = around->states[to->position];
      if (goal.step == Step::kNone || !to->can_stand_alone) continue;
      const bool to_nullable = IsNullable(around, to);
      if (!LeadsOut(test, member, to, to_nullable)) continue;
      if (member->test_needs_not_null && (to_nullable || !IsNeverNull(member, to))) continue;
      MemberState& state = level->states[member->position];
      state.step = Step::kHop;
      state.cost = goal.cost + HopCost(test.expr, member, to);
      state.next = to;
      state.next_level = around;
      state.conjuncts.Add(test.expr);
      return;
    }
  }
}

}  // namespace tviews::backend::lineage
