#include "backend/lineage/recursion.h"

#include "backend/lineage/joins.h"
#include "shared/pg/server/image_equality.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/bitmapset.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

Occurrence* SelfIn(const Scope* term) {
  for (Occurrence* member : term->members) {
    // Two levels up: the set operation, then the query that holds WITH RECURSIVE.
    if (member->kind == OccurrenceKind::kOpaque && member->rte->self_reference &&
        member->rte->ctelevelsup == 2) {
      return member;
    }
  }
  return nullptr;
}

bool HasOwnLimit(const Query* query) {
  return query->limitCount != nullptr || query->limitOffset != nullptr;
}

bool AreImageEqual(const PlainArray<Expr*>& expressions) {
  for (Expr* expr : expressions) {
    if (!pg::IsImageEqual(exprType(AsNode(expr)), exprCollation(AsNode(expr)))) return false;
  }
  return true;
}

// Finds the conditions between `self` and `step`.
bool FindStep(const Scope* term, Recursion* recursion) {
  const ReducedJoins* joins = ReduceJoins(term, nullptr);
  for (const PlacedConjunct& conjunct : joins->conjuncts) {
    if (conjunct.expr != nullptr && LeadsTo(conjunct, recursion->self, recursion->step)) {
      recursion->conditions.Add(conjunct.expr);
    }
  }
  recursion->compared = RequestOf(recursion->self, recursion->conditions);
  return !recursion->conditions.empty();
}

// The one member whose rows determine the columns; null if it is not one, or cannot be joined.
const ExitTarget* SoleTarget(const Exit* exit) {
  if (exit->why_not != nullptr || !exit->mates.empty() || exit->targets.size() != 1) return nullptr;
  return exit->targets[0].member->can_stand_alone ? &exit->targets[0] : nullptr;
}

bool Contains(const ExitRequest& request, AttributeNumber number) {
  for (const ExitColumn& column : request.columns) {
    if (column.number == number) return true;
  }
  return false;
}

// Each of the other branches must be left by the carried columns as well.
bool OthersCanLeave(const Scope* cte, const Occurrence* term, const ExitRequest& request) {
  for (const Occurrence* branch : cte->members) {
    if (branch == term || branch->kind != OccurrenceKind::kDerived) continue;
    const Exit* exit = FindExit(branch->child, request);
    if (exit->why_not != nullptr || !exit->mates.empty()) return false;
  }
  return true;
}

bool CollectStepVars(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Var)) {
    auto* recursion = static_cast<Recursion*>(context);
    auto* var = reinterpret_cast<Var*>(node);
    if (var->varno != recursion->step->id || Contains(recursion->carried, var->varattno)) {
      return false;
    }
    ExitColumn column;
    column.number = var->varattno;
    recursion->carried.columns.Add(column);
    recursion->carried_in_step.Add(reinterpret_cast<Expr*>(var));
    return false;
  }
  return WalkChildren(node, CollectStepVars, context);
}

}  // namespace

Occurrence* RecursiveTerm(const Scope* cte) {
  auto* operation = reinterpret_cast<SetOperationStmt*>(cte->query->setOperations);
  if (operation == nullptr || !IsA(operation->rarg, RangeTblRef)) return nullptr;
  Occurrence* term = cte->by_index[reinterpret_cast<RangeTblRef*>(operation->rarg)->rtindex - 1];
  return term->child->query->setOperations == nullptr ? term : nullptr;
}

Recursion* PlanForward(const Scope* cte, ExitRequest* request) {
  const Occurrence* term = RecursiveTerm(cte);
  if (term == nullptr || HasOwnLimit(cte->query)) return nullptr;
  auto* recursion = MakePlain<Recursion>();
  recursion->self = SelfIn(term->child);
  if (recursion->self == nullptr) return nullptr;
  // Rows in the middle of a chain matter whatever their columns are used for above.
  for (ExitColumn& column : request->columns) column.is_strict = false;
  const ExitTarget* target = SoleTarget(FindExit(term->child, *request));
  if (target == nullptr) return nullptr;
  recursion->step = target->member;
  if (!FindStep(term->child, recursion)) return nullptr;
  for (const ExitColumn& compared : recursion->compared.columns) {
    if (Contains(*request, compared.number)) continue;
    ExitColumn column;
    column.number = compared.number;
    request->columns.Add(column);
  }
  target = SoleTarget(FindExit(term->child, *request));
  if (target == nullptr || target->member != recursion->step ||
      !AreImageEqual(target->expressions) || !OthersCanLeave(cte, term, *request)) {
    return nullptr;
  }
  recursion->carried = *request;
  recursion->carried_in_step = target->expressions;
  return recursion;
}

bool PassesThrough(const Scope* cte, const ExitRequest& request) {
  const Occurrence* term = RecursiveTerm(cte);
  if (term == nullptr || HasOwnLimit(cte->query) || !OthersCanLeave(cte, term, request)) {
    return false;
  }
  const Occurrence* self = SelfIn(term->child);
  const Exit* exit = FindExit(term->child, request);
  if (self == nullptr || exit->why_not != nullptr || !exit->mates.empty() ||
      exit->targets.size() != 1 || exit->targets[0].member != self) {
    return false;
  }
  for (int i = 0; i < request.columns.size(); ++i) {
    Node* expr = AsNode(exit->targets[0].expressions[i]);
    if (!IsA(expr, Var) || reinterpret_cast<Var*>(expr)->varattno != request.columns[i].number) {
      return false;
    }
  }
  return true;
}

bool CanLeaveRecursion(const Scope* cte, const ExitRequest& request) {
  ExitRequest carried = request;
  return PlanForward(cte, &carried) != nullptr ||
         (PassesThrough(cte, request) && PlanBackward(cte) != nullptr);
}

Recursion* PlanBackward(const Scope* cte) {
  const Occurrence* term = RecursiveTerm(cte);
  if (term == nullptr || cte->members.size() != 2 || HasOwnLimit(cte->query)) return nullptr;
  const Scope* first = cte->members[0]->child;
  auto* recursion = MakePlain<Recursion>();
  recursion->self = SelfIn(term->child);
  if (recursion->self == nullptr || first->query->setOperations != nullptr) return nullptr;
  for (Occurrence* member : term->child->members) {
    if (!member->can_stand_alone) continue;
    recursion->step = member;
    recursion->conditions = PlainArray<Expr*>();
    recursion->compared_in_step = PlainArray<Expr*>();
    recursion->compared_in_start = PlainArray<Expr*>();
    if (!FindStep(term->child, recursion)) continue;
    if (FindCarrier(term->child, recursion->compared, &recursion->compared_in_step) != member) {
      continue;
    }
    recursion->start = FindCarrier(first, recursion->compared, &recursion->compared_in_start);
    if (recursion->start == nullptr) continue;
    for (Expr* condition : recursion->conditions) CollectStepVars(AsNode(condition), recursion);
    if (recursion->carried.columns.empty() || !AreImageEqual(recursion->carried_in_step)) {
      return nullptr;
    }
    return recursion;
  }
  return nullptr;
}

}  // namespace tviews::backend::lineage
