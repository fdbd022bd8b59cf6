#include "backend/lineage/paths.h"

#include <climits>

#include "backend/lineage/hops.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Which subqueries are entered: LATERAL ones without a way of their own as well, or not.
enum class Entered { kSettled, kWaiting };
// Whether a step is taken for rows that are known to be in the goal.
enum class Assumes { kNothing, kGoal };

class PathFinder {
 public:
  explicit PathFinder(Forest* forest) : forest_(forest) {}

  // `request` null: the level is left only by conditions on levels around it.
  Level* MakeLevel(Scope* scope, Level* outer, const ExitRequest* request, int base_cost,
                   bool allows_parts = false) {
    CHECK_FOR_INTERRUPTS();
    Level* level = NewLevel(scope, outer);
    level->allows_parts = allows_parts && scope->recursions.empty();
    Exit* exit = nullptr;
    if (request != nullptr) {
      level->request = *request;
      exit = FindExit(scope, *request, level->allows_parts);
      level->why_not = exit->why_not;
      if (exit->why_not == nullptr) SetGoals(level, *exit, base_cost);
    }
    Settle(level);
    VisitInside(level);
    if (exit != nullptr && exit->why_not == nullptr) {
      for (const MatesBlock& block : exit->mates) MakeMatesLevel(level, block);
    }
    return level;
  }

 private:
  Level* NewLevel(Scope* scope, Level* outer) {
    auto* level = MakePlain<Level>();
    level->scope = scope;
    level->outer = outer;
    level->plain = ReduceJoins(scope, nullptr);
    level->for_goal = level->plain;
    for (int i = 0; i < scope->members.size(); ++i) level->states.Add(MemberState());
    return level;
  }

  static void SetGoal(Level* level, Occurrence* member, const PlainArray<Expr*>& columns,
                      Assumes assumes, int cost) {
    MemberState& state = level->states[member->position];
    state.step = Step::kExit;
    state.cost = cost;
    state.assumes_goal = assumes == Assumes::kGoal;
    state.columns = columns;
  }

  void SetGoals(Level* level, const Exit& exit, int base_cost) {
    if (exit.is_constant) {
      for (Occurrence* member : level->scope->members) {
        SetGoal(level, member, exit.constants, Assumes::kNothing, base_cost + 1);
      }
      return;
    }
    for (const ExitTarget& target : exit.targets) {
      SetGoal(level, target.member, target.expressions,
              bms_is_empty(exit.nonnull) ? Assumes::kNothing : Assumes::kGoal, base_cost + 1);
    }
    if (!bms_is_empty(exit.nonnull)) level->for_goal = ReduceJoins(level->scope, exit.nonnull);
  }

  // Gives every member that it can a way to the goal, always towards one that has one already
  // (LINEAGE I1): by the cheapest hop as long as there is one, else into a subquery by the rows
  // that its columns come from, and only if nothing else leads on by joining a subquery as a whole.
  void Settle(Level* level) {
    for (;;) {
      while (TakeCheapest(level, Hops::kToRows)) {
      }
      if (!EnterSubqueries(level, Entered::kSettled) && !TakeCheapest(level, Hops::kToAll) &&
          !EnterSubqueries(level, Entered::kWaiting)) {
        return;
      }
    }
  }

  // A row of a subquery takes its columns from rows inside, so a condition on them leads to those,
  // and on by their own paths: that costs less than joining the subquery as a whole, and where it
  // is LATERAL nothing else is possible.
  bool EnterSubqueries(Level* level, Entered entered) {
    for (Occurrence* subquery : level->scope->members) {
      const MemberState& state = level->states[subquery->position];
      const bool is_settled =
          state.step != Step::kNone || (entered == Entered::kWaiting && !subquery->can_stand_alone);
      if (subquery->kind != OccurrenceKind::kDerived || !is_settled) continue;
      if (state.inside == nullptr) VisitDerived(level, subquery);
      for (Occurrence* from : level->scope->members) {
        if (IsWaiting(level, from) && EnterSubquery(level, from, subquery)) return true;
      }
    }
    return false;
  }

  bool EnterSubquery(Level* level, Occurrence* from, Occurrence* subquery) {
    Level* inside = level->states[subquery->position].inside;
    for (const PlacedConjunct& conjunct : level->plain->conjuncts) {
      if (conjunct.expr == nullptr || !LeadsTo(conjunct, from, subquery)) continue;
      PlainArray<Expr*> conjuncts;
      PlainArray<Expr*> columns;
      conjuncts.Add(conjunct.expr);
      const ExitRequest request = RequestOf(subquery, conjuncts);
      Occurrence* carrier = FindCarrier(subquery->child, request, &columns);
      if (carrier == nullptr || inside->states[carrier->position].step == Step::kNone) continue;
      MemberState& state = level->states[from->position];
      state.step = Step::kHop;
      state.cost = inside->states[carrier->position].cost + HopCost(conjunct.expr, from, carrier);
      state.next = carrier;
      state.next_level = inside;
      state.conjuncts.Add(ReplaceColumns(conjunct.expr, subquery, request, columns));
      return true;
    }
    return false;
  }

  // Starts paths at the level's relations, and makes the levels below.
  void VisitInside(Level* level) {
    for (Occurrence* member : level->scope->members) {
      switch (member->kind) {
        case OccurrenceKind::kRelation:
          forest_->starts.Add({member, level});
          break;
        case OccurrenceKind::kDerived:
          if (level->states[member->position].inside == nullptr) VisitDerived(level, member);
          break;
        case OccurrenceKind::kSublink:
          VisitSublink(level, member);
          break;
        default:
          break;
      }
    }
    for (Scope* cte : level->scope->recursions) VisitRecursion(level, cte);
  }

  void VisitRecursion(Level* level, Scope* cte) {
    const MemberState& state = level->states[cte->owner->position];
    ExitRequest request;
    bool is_left_by_start = false;
    if (state.step == Step::kExit) {
      request = RequestOf(cte->owner, level->request, state.columns);
      is_left_by_start = PassesThrough(cte, request);
      ExitRequest carried = request;
      const bool is_constant = request.columns.empty();
      Recursion* forward = is_constant ? nullptr : PlanForward(cte, &carried);
      if (is_constant || forward != nullptr) {
        MakeLevel(cte, level, &carried, state.cost)->forward = forward;
        return;
      }
    }
    VisitBackward(level, cte, is_left_by_start ? &request : nullptr, state.cost);
  }

  // By way of the start: it is left by the columns of `request`, or, without, by conditions on
  // levels around.
  void VisitBackward(Level* level, Scope* cte, const ExitRequest* request, int cost) {
    Level* inside = NewLevel(cte, level);
    Recursion* backward = PlanBackward(cte);
    Occurrence* term = RecursiveTerm(cte);
    if (request != nullptr) {
      inside->request = *request;
      SetGoals(inside, *FindExit(cte, *request), cost);
    }
    for (Occurrence* branch : cte->members) {
      if (branch->kind != OccurrenceKind::kDerived) continue;
      if (branch == term && backward != nullptr) {
        MakeBackwardLevel(branch->child, inside, backward);
        continue;
      }
      ExitRequest of_branch;
      if (request != nullptr && branch != term) {
        of_branch = RequestOf(branch, *request, inside->states[branch->position].columns);
      }
      Level* made = MakeLevel(branch->child, inside,
                              of_branch.columns.empty() ? nullptr : &of_branch, cost + 1);
      if (made->why_not == nullptr) made->why_not = "the steps of a recursion cannot be followed";
      if (backward != nullptr) backward->start_level = made;
    }
  }

  // The recursive term, with the step's rows as its goal.
  void MakeBackwardLevel(Scope* term, Level* outer, Recursion* backward) {
    Level* level = NewLevel(term, outer);
    level->why_not = "the start of the recursion has no way to the key";
    const MemberState& start = backward->start_level->states[backward->start->position];
    if (start.step != Step::kNone) {
      level->backward = backward;
      level->request = backward->carried;
      SetGoal(level, backward->step, backward->carried_in_step, Assumes::kNothing,
              start.cost + kDeadEndCost);
    }
    Settle(level);
    VisitInside(level);
  }

  // The columns of `from` that its hop needs: those of the conditions, and, where it leads to a
  // function or VALUES over `from`, those that this is computed from.
  static ExitRequest RequestOfHop(const Occurrence* from, const MemberState& state) {
    PlainArray<Expr*> needing = state.conjuncts;
    if (state.next->kind == OccurrenceKind::kComputed &&
        bms_is_member(from->id, state.next->uses)) {
      const RangeTblEntry* rte = state.next->rte;
      needing.Add(reinterpret_cast<Expr*>(rte->functions));
      needing.Add(reinterpret_cast<Expr*>(rte->values_lists));
      needing.Add(reinterpret_cast<Expr*>(rte->tablefunc));
    }
    return RequestOf(from, needing);
  }

  void VisitDerived(Level* level, Occurrence* member) {
    MemberState& state = level->states[member->position];
    if (state.step == Step::kNone || state.is_lateral) {
      state.inside = MakeLevel(member->child, level, nullptr, 0);
      return;
    }
    const ExitRequest request = state.step == Step::kExit
                                    ? RequestOf(member, level->request, state.columns)
                                    : RequestOfHop(member, state);
    const bool allows_parts = level->allows_parts && state.step == Step::kExit;
    state.inside = MakeLevel(member->child, level, &request, state.cost, allows_parts);
  }

  // LINEAGE D4, else D1.
  void VisitSublink(Level* level, Occurrence* member) {
    MemberState& state = level->states[member->position];
    if (state.step == Step::kNone && member->test != nullptr) FindTestHop(level, member);
    if (state.step == Step::kNone) {
      MakeLevel(member->child, level, nullptr, 0);
      return;
    }
    const ExitRequest request = state.step == Step::kExit
                                    ? RequestOf(member, level->request, state.columns)
                                    : RequestOf(member, state.conjuncts);
    MakeLevel(member->child, level, &request, state.cost);
  }

  // LINEAGE G: the level of `rows`' scope that leads to the mates by `block`.
  void MakeMatesLevel(Level* rows, const MatesBlock& block) {
    Occurrence* best = nullptr;
    int best_missing = INT_MAX;
    const int starts = forest_->starts.size();
    for (Occurrence* member : rows->scope->members) {
      const Level* level = TryAnchor(rows, block, member);
      forest_->starts.Truncate(starts);  // of a trial
      if (level == nullptr) continue;
      int missing = 0;
      for (const MemberState& state : level->states) missing += state.step == Step::kNone;
      if (missing >= best_missing) continue;
      best = member;
      best_missing = missing;
    }
    Level* level = best == nullptr ? nullptr : TryAnchor(rows, block, best);
    if (level == nullptr) {
      level = NewLevel(rows->scope, rows->outer);
      level->why_not =
          psprintf("no %s column belongs to one table that leads to the key", block.name);
      Settle(level);
    }
    VisitInside(level);
  }

  Level* TryAnchor(Level* rows, const MatesBlock& block, Occurrence* member) {
    if (rows->states[member->position].step == Step::kNone || !member->can_stand_alone ||
        bms_is_member(member->id, rows->plain->nullable)) {
      return nullptr;
    }
    auto* mates = MakePlain<Mates>();
    mates->anchor = member;
    mates->rows = rows;
    Level* level = NewLevel(rows->scope, rows->outer);
    for (int i = 0; i < block.expressions.size(); ++i) {
      Node* expr = reinterpret_cast<Node*>(block.expressions[i]);
      Bitmapset* uses = OccurrencesIn(expr);
      if (bms_num_members(uses) != 1 || !bms_is_member(member->id, uses) ||
          !IsPureExpression(expr) || HasSpecialVars(expr) || NamesForeignOperator(expr)) {
        continue;
      }
      ExitColumn column;
      column.number = static_cast<AttrNumber>(i + 1);
      column.equality = block.equalities[i];
      column.equality_collation = exprCollation(expr);
      level->request.columns.Add(column);
      mates->columns.Add(block.expressions[i]);
      mates->equalities.Add(block.equalities[i]);
    }
    if (mates->columns.empty()) return nullptr;
    level->mates = mates;
    SetGoal(level, member, mates->columns, Assumes::kNothing, 1);
    Settle(level);
    return level;
  }

  Forest* forest_;
};

}  // namespace

Forest* FindPaths(Tree* tree, const ExitRequest& key) {
  auto* forest = MakePlain<Forest>();
  forest->top = PathFinder(forest).MakeLevel(tree->top, nullptr, &key, 0, key.columns.size() > 1);
  return forest;
}

}  // namespace tviews::backend::lineage
