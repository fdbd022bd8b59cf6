#include "backend/lineage/capture_filter.h"

#include <cstring>

#include "backend/lineage/filters.h"
#include "shared/pg/tables/row_filter.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include <nodes/primnodes.h>
#include <optimizer/optimizer.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Of one condition. A list of thousands is quicker asked once per batch, in the lookup.
constexpr std::size_t kLongest = 4000;

// True if it takes more than the row and constants to evaluate, or means something by an OID that
// pg_upgrade does not keep.
bool IsMore(Node* node, void* context) {
  if (node == nullptr) return false;
  switch (nodeTag(node)) {
    case T_Var:
      if (reinterpret_cast<Var*>(node)->varattno <= 0) return true;
      break;
    case T_Const:
    case T_BoolExpr:
    case T_BooleanTest:
    case T_NullTest:
    case T_OpExpr:
    case T_DistinctExpr:
    case T_ScalarArrayOpExpr:
    case T_RelabelType:
      break;
    default:
      return true;
  }
  if (exprCollation(node) >= FirstUnpinnedObjectId ||
      exprInputCollation(node) >= FirstUnpinnedObjectId) {
    return true;
  }
  return WalkChildren(node, IsMore, context);
}

}  // namespace

const char* CaptureFilterOf(const Occurrence* occurrence) {
  if (occurrence->kind != OccurrenceKind::kRelation) return nullptr;
  List* tests = NIL;
  ListCell* cell;
  foreach (cell, FiltersOf(occurrence, 1)) {
    Node* const test = eval_const_expressions(nullptr, static_cast<Node*>(lfirst(cell)));
    if (contain_mutable_functions(test) || IsMore(test, nullptr)) continue;
    if (strlen(pg::RowFilterText(test)) > kLongest) continue;
    tests = lappend(tests, test);
  }
  if (tests == NIL) return nullptr;
  return pg::RowFilterText(reinterpret_cast<Node*>(make_ands_explicit(tests)));
}

}  // namespace tviews::backend::lineage
