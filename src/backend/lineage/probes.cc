#include "backend/lineage/probes.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include <optimizer/clauses.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

// The comparison in "a = b", or in "a = b OR a IS NULL AND b IS NULL", which leads to mates. Null:
// `condition` is something else.
OpExpr* EqualityIn(Node* condition) {
  if (is_orclause(condition)) {
    List* const sides = reinterpret_cast<BoolExpr*>(condition)->args;
    if (list_length(sides) != 2 || !is_andclause(lsecond(sides))) return nullptr;
    ListCell* cell;
    foreach (cell, static_cast<BoolExpr*>(lsecond(sides))->args) {
      if (!IsA(lfirst(cell), NullTest)) return nullptr;
    }
    condition = static_cast<Node*>(linitial(sides));
  }
  if (!IsA(condition, OpExpr)) return nullptr;
  auto* const operation = reinterpret_cast<OpExpr*>(condition);
  return list_length(operation->args) == 2 && IsEqualityOperator(operation->opno) ? operation
                                                                                  : nullptr;
}

// What `conditions` compare of the instance `number` with other rows.
void AddSides(List* conditions, int number, Probe* probe) {
  ListCell* cell;
  foreach (cell, conditions) {
    const OpExpr* const operation = EqualityIn(static_cast<Node*>(lfirst(cell)));
    if (operation == nullptr) continue;
    auto* const left = static_cast<Node*>(linitial(operation->args));
    auto* const right = static_cast<Node*>(lsecond(operation->args));
    const Bitmapset* const of_left = OccurrencesIn(left);
    const Bitmapset* const of_right = OccurrencesIn(right);
    const Bitmapset* const own = bms_make_singleton(number);
    if (bms_equal(of_left, own) && !bms_is_member(number, of_right)) {
      AddPart(left, operation->opno, operation->inputcollid, probe);
    } else if (bms_equal(of_right, own) && !bms_is_member(number, of_left)) {
      AddPart(right, get_commutator(operation->opno), operation->inputcollid, probe);
    }
  }
}

}  // namespace

void CollectProbes(const Route& route, PlainArray<Probe>* probes) {
  for (const Recurring& recursion : route.recursions) {
    CollectProbes(*recursion.first, probes);
    CollectProbes(*recursion.step, probes);
  }
  for (List* conditions : route.conditions) {
    if (conditions == NIL) continue;
    const Bitmapset* const instances = OccurrencesIn(reinterpret_cast<Node*>(conditions));
    for (int number = -1; (number = bms_next_member(instances, number)) >= 0;) {
      const Occurrence* const occurrence = route.instances[number - 1].occurrence;
      if (occurrence == nullptr || occurrence->kind != OccurrenceKind::kRelation) continue;
      Probe probe = {occurrence->rte->relid, {}, nullptr};
      AddSides(conditions, number, &probe);
      if (!probe.parts.empty()) probes->Add(probe);
    }
  }
}

void CollectKeyProbes(const Scope* scope, const ExitRequest& key, PlainArray<Probe>* probes) {
  const Exit* const exit = FindExit(scope, key);
  if (exit->why_not != nullptr) return;
  for (const ExitTarget& target : exit->targets) {
    if (target.member->kind == OccurrenceKind::kDerived) {
      CollectKeyProbes(target.member->child, RequestOf(target.member, key, target.expressions),
                       probes);
    }
    if (target.member->kind != OccurrenceKind::kRelation) continue;
    Probe probe = {target.member->rte->relid, {}, "the key"};
    for (int i = 0; i < target.expressions.size(); ++i) {
      Node* const expr = AsNode(target.expressions[i]);
      const ExitColumn& column = key.columns[i];
      if (OidIsValid(column.equality)) {
        AddPart(expr, column.equality, column.equality_collation, &probe);
      }
    }
    if (!probe.parts.empty()) probes->Add(probe);
  }
}

}  // namespace tviews::backend::lineage
