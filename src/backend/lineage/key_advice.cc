#include "backend/lineage/key_advice.h"

#include "backend/lineage/columns.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <lib/stringinfo.h>
#include <nodes/bitmapset.h>
#include <nodes/nodeFuncs.h>
#include <nodes/pg_list.h>
#include <nodes/primnodes.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <utils/builtins.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Each once, in their order. A merged column is one of its parts, and names no pair.
bool CollectColumns(Node* node, void* context) {
  if (node == nullptr || IsA(node, CoalesceExpr)) return false;
  if (IsA(node, Var)) {
    auto** const columns = static_cast<List**>(context);
    *columns = list_append_unique(*columns, node);
    return false;
  }
  return WalkChildren(node, CollectColumns, context);
}

const Occurrence* OccurrenceOf(const Scope* scope, const Var* column) {
  for (const Occurrence* member : scope->members) {
    if (member->id == static_cast<int>(column->varno)) return member;
  }
  return nullptr;
}

bool IsOfRows(Node* expr) {
  return !contain_agg_clause(expr) && !contain_window_function(expr) &&
         !expression_returns_set(expr) && !contain_subplans(expr) && !HasSpecialVars(expr);
}

}  // namespace

KeyAdvice AdviseOnKey(const Scope* top, const ExitRequest& key) {
  KeyAdvice advice;
  if (key.columns.size() != 1 || top->query->setOperations != nullptr) return advice;
  auto* const expr = reinterpret_cast<Node*>(OutputOf(top, key.columns[0].number));
  if (expr == nullptr || !IsOfRows(expr)) return advice;
  List* columns = NIL;
  CollectColumns(expr, &columns);
  if (bms_num_members(OccurrencesIn(reinterpret_cast<Node*>(columns))) < 2) return advice;
  StringInfoData text;
  StringInfoData names;
  initStringInfo(&text);
  initStringInfo(&names);
  ListCell* cell;
  foreach (cell, columns) {
    const auto* const column = static_cast<Var*>(lfirst(cell));
    const Occurrence* const occurrence = OccurrenceOf(top, column);
    if (occurrence == nullptr || occurrence->rte == nullptr) return advice;
    const char* const table = occurrence->rte->eref->aliasname;
    const char* const name = get_rte_attribute_name(occurrence->rte, column->varattno);
    const char* const separator = text.len == 0 ? "" : ", ";
    appendStringInfo(&text, "%s%s.%s", separator, quote_identifier(table), quote_identifier(name));
    appendStringInfo(&names, "%s%s", separator, quote_identifier(psprintf("%s_%s", table, name)));
  }
  advice.columns = text.data;
  advice.names = names.data;
  return advice;
}

}  // namespace tviews::backend::lineage
