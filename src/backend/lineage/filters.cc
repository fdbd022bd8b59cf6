#include "backend/lineage/filters.h"

#include <cstring>

#include "backend/lineage/joins.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <nodes/primnodes.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

bool IsForeign(Oid function, void* /*context*/) { return function >= FirstUnpinnedObjectId; }

bool CallsForeign(Node* node, void* context) {
  if (node == nullptr) return false;
  return check_functions_in_node(node, IsForeign, context) ||
         WalkChildren(node, CallsForeign, context);
}

// A column, or what does not depend on the row. The latter is evaluated once, when the lookup is
// planned, as it is when the query is.
bool IsOperand(Node* node) {
  Node* const bare = StripRelabel(node);
  if (IsA(bare, Var)) return true;
  return bms_is_empty(OccurrencesIn(node)) && !CallsForeign(node, nullptr);
}

bool AreOperands(List* arguments) {
  ListCell* cell;
  foreach (cell, arguments) {
    if (!IsOperand(static_cast<Node*>(lfirst(cell)))) return false;
  }
  return true;
}

// True if the operator compares values by an order or equality of the server, which does not fail.
// Not those of arrays and rows, which call the functions of what is in them, nor of money, whose
// constants have no form that means the same in every locale.
bool IsComparison(Oid operation, List* arguments) {
  if (operation >= FirstUnpinnedObjectId) return false;
  ListCell* cell;
  foreach (cell, arguments) {
    const Oid type = getBaseType(exprType(static_cast<Node*>(lfirst(cell))));
    if (get_typtype(type) == TYPTYPE_ENUM) continue;
    if (type >= FirstUnpinnedObjectId || type == CASHOID || get_typtype(type) != TYPTYPE_BASE ||
        OidIsValid(get_element_type(type))) {
      return false;
    }
  }
  List* const meanings = pg::compat::MeaningsOf(operation);
  return meanings != NIL;
}

// "column LIKE 'forest%'". It fails for a pattern that ends with an escape, and under collations
// that take different texts for equal.
bool IsLike(const OpExpr* operation) {
  switch (get_opcode(operation->opno)) {
    case F_TEXTLIKE:
    case F_TEXTNLIKE:
    case F_BPCHARLIKE:
    case F_BPCHARNLIKE:
      break;
    default:
      return false;
  }
  auto* const pattern = static_cast<Node*>(lsecond(operation->args));
  if (!IsOperand(static_cast<Node*>(linitial(operation->args))) || !IsA(pattern, Const) ||
      !OidIsValid(operation->inputcollid) ||
      !get_collation_isdeterministic(operation->inputcollid)) {
    return false;
  }
  const auto* const constant = reinterpret_cast<Const*>(pattern);
  if (constant->constisnull) return false;
  const char* const like = TextDatumGetCString(constant->constvalue);
  std::size_t escapes = 0;
  for (std::size_t i = strlen(like); i > 0 && like[i - 1] == '\\'; --i) ++escapes;
  return escapes % 2 == 0;
}

bool IsTest(Node* node);

bool AreTests(List* nodes) {
  ListCell* cell;
  foreach (cell, nodes) {
    if (!IsTest(static_cast<Node*>(lfirst(cell)))) return false;
  }
  return true;
}

// "column = ANY (constant)"; its array is no value of the row.
bool IsMembership(const ScalarArrayOpExpr* test) {
  auto* const column = static_cast<Node*>(linitial(test->args));
  auto* const list = static_cast<Node*>(lsecond(test->args));
  return IsOperand(column) && bms_is_empty(OccurrencesIn(list)) && !CallsForeign(list, nullptr) &&
         IsComparison(test->opno, list_make1(column));
}

// True if evaluating `node` cannot fail.
bool IsTest(Node* node) {
  switch (nodeTag(node)) {
    case T_Var:
    case T_Const:
      return true;
    case T_BoolExpr:
      return AreTests(reinterpret_cast<BoolExpr*>(node)->args);
    case T_BooleanTest:
      return IsTest(AsNode(reinterpret_cast<BooleanTest*>(node)->arg));
    case T_NullTest:
      return IsOperand(AsNode(reinterpret_cast<NullTest*>(node)->arg));
    case T_OpExpr:
    case T_DistinctExpr: {
      auto* const operation = reinterpret_cast<OpExpr*>(node);
      if (list_length(operation->args) != 2) return false;
      return IsLike(operation) ||
             (AreOperands(operation->args) && IsComparison(operation->opno, operation->args));
    }
    case T_ScalarArrayOpExpr:
      return IsMembership(reinterpret_cast<ScalarArrayOpExpr*>(node));
    default:
      return false;
  }
}

bool Filters(const PlacedConjunct& conjunct, const Occurrence* occurrence) {
  if (!conjunct.can_lead || bms_is_member(occurrence->id, conjunct.nullable_below)) return false;
  if (bms_num_members(conjunct.uses) != 1 || !bms_is_member(occurrence->id, conjunct.uses)) {
    return false;
  }
  const bool restricts =
      conjunct.join == JoinKind::kInner ||
      (conjunct.join == JoinKind::kLeft && bms_is_member(occurrence->id, conjunct.nullable_side));
  return restricts && IsTest(AsNode(conjunct.expr));
}

Node* Renumber(Node* node, void* varno) {
  if (node == nullptr) return nullptr;
  if (!IsA(node, Var)) return MutateChildren(node, Renumber, varno);
  Var* const var = static_cast<Var*>(copyObjectImpl(node));
  var->varno = *static_cast<const int*>(varno);
  return reinterpret_cast<Node*>(var);
}

List* FindFilters(const Occurrence* occurrence) {
  List* filters = NIL;
  const ReducedJoins* const joins = ReduceJoins(occurrence->scope, nullptr);
  for (const PlacedConjunct& conjunct : joins->conjuncts) {
    if (conjunct.expr == nullptr || !Filters(conjunct, occurrence)) continue;
    filters = lappend(filters, conjunct.expr);
  }
  return filters;
}

}  // namespace

List* FiltersOf(const Occurrence* occurrence, int varno) {
  if (!occurrence->knows_filters) {
    // It lives as long as what it is kept with. A path of hundreds of joins asks at each step.
    MemoryContext const before =
        MemoryContextSwitchTo(GetMemoryChunkContext(const_cast<Occurrence*>(occurrence)));
    occurrence->filters = FindFilters(occurrence);
    occurrence->knows_filters = true;
    MemoryContextSwitchTo(before);
  }
  List* filters = NIL;
  ListCell* cell;
  foreach (cell, occurrence->filters) {
    filters = lappend(filters, Renumber(static_cast<Node*>(lfirst(cell)), &varno));
  }
  return filters;
}

}  // namespace tviews::backend::lineage
