#include "shared/pg/planner/inline_ctes.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <rewrite/rewriteManip.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::ForServer;

// True if a query reads the rows so far of a recursive CTE around it. `context`: an int, how many
// queries deep the walk is.
bool ReadsOuterRecursion(Node* node, void* context) {
  auto* const depth = static_cast<unsigned*>(context);
  if (node == nullptr) return false;
  if (IsA(node, RangeTblEntry)) {
    const auto* const entry = reinterpret_cast<RangeTblEntry*>(node);
    return entry->rtekind == RTE_CTE && entry->self_reference && entry->ctelevelsup >= *depth;
  }
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(ReadsOuterRecursion), depth);
  ++*depth;
  const bool found =
      query_tree_walker(reinterpret_cast<Query*>(node), ForServer(ReadsOuterRecursion), depth,
                        QTW_EXAMINE_RTES_BEFORE);
  --*depth;
  return found;
}

bool MayInline(const CommonTableExpr* cte) {
  if (cte->cterecursive || cte->cterefcount == 0) return false;
  if (reinterpret_cast<Query*>(cte->ctequery)->commandType != CMD_SELECT) return false;
  unsigned depth = 0;
  return cte->cterefcount == 1 || !ReadsOuterRecursion(cte->ctequery, &depth);
}

struct Inlining {
  const CommonTableExpr* cte;
  int depth;  // of the walk below the query that has the CTE
};

bool Replace(Node* node, void* context) {
  auto* const inlining = static_cast<Inlining*>(context);
  if (node == nullptr) return false;
  if (IsA(node, RangeTblEntry)) {
    auto* const entry = reinterpret_cast<RangeTblEntry*>(node);
    if (entry->rtekind != RTE_CTE || static_cast<int>(entry->ctelevelsup) != inlining->depth ||
        strcmp(entry->ctename, inlining->cte->ctename) != 0) {
      return false;
    }
    entry->rtekind = RTE_SUBQUERY;
    entry->subquery = static_cast<Query*>(copyObjectImpl(inlining->cte->ctequery));
    IncrementVarSublevelsUp(reinterpret_cast<Node*>(entry->subquery), inlining->depth, 1);
    entry->security_barrier = false;
    entry->ctename = nullptr;
    entry->ctelevelsup = 0;
    entry->coltypes = NIL;
    entry->coltypmods = NIL;
    entry->colcollations = NIL;
    return false;
  }
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(Replace), context);
  ++inlining->depth;
  query_tree_walker(reinterpret_cast<Query*>(node), ForServer(Replace), context,
                    QTW_EXAMINE_RTES_AFTER);
  --inlining->depth;
  return false;
}

bool InlineEverywhere(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(InlineEverywhere), context);
  auto* const query = reinterpret_cast<Query*>(node);
  List* left = NIL;
  ListCell* cell;
  foreach (cell, query->cteList) {
    auto* const cte = static_cast<CommonTableExpr*>(lfirst(cell));
    if (!MayInline(cte)) {
      left = lappend(left, cte);
      continue;
    }
    if (cte->ctematerialized == CTEMaterializeAlways ||
        (cte->ctematerialized == CTEMaterializeDefault && cte->cterefcount > 1)) {
      *static_cast<bool*>(context) = true;
    }
    Inlining inlining{cte, -1};
    Replace(node, &inlining);
  }
  query->cteList = left;
  return query_tree_walker(query, ForServer(InlineEverywhere), context, 0);
}

}  // namespace

bool InlineCtes(Query* query) {
  bool has_whole = false;
  query_tree_walker(query, ForServer(InlineEverywhere), &has_whole, QTW_IGNORE_CTE_SUBQUERIES);
  return has_whole;
}

}  // namespace tviews::pg
