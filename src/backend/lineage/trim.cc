#include "backend/lineage/trim.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <nodes/bitmapset.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Which columns of range table entry `index`, of the query `depth` levels up, are read.
struct Reads {
  int index;
  Index depth;
  Bitmapset* columns;
  bool whole;
};

bool CollectReads(Node* node, void* context) {
  if (node == nullptr || IsA(node, RangeTblEntry)) return false;
  auto* reads = static_cast<Reads*>(context);
  if (IsA(node, Var)) {
    auto* var = reinterpret_cast<Var*>(node);
    if (static_cast<int>(var->varno) != reads->index || var->varlevelsup != reads->depth) {
      return false;
    }
    if (var->varattno <= 0) {
      reads->whole = true;
    } else {
      reads->columns = bms_add_member(reads->columns, var->varattno);
    }
    return false;
  }
  if (IsA(node, Query)) {
    reads->depth++;
    WalkQuery(reinterpret_cast<Query*>(node), CollectReads, context);
    reads->depth--;
    return false;
  }
  return WalkChildren(node, CollectReads, context);
}

bool CanTrim(const Query* query) {
  return query->setOperations == nullptr && query->cteList == NIL && !query->hasTargetSRFs &&
         (!query->hasAggs || query->groupClause != NIL);
}

void TrimColumns(Query* query, const Bitmapset* read) {
  ListCell* cell;
  foreach (cell, query->targetList) {
    auto* entry = static_cast<TargetEntry*>(lfirst(cell));
    if (entry->ressortgroupref != 0 || bms_is_member(entry->resno, read)) continue;
    Node* expr = reinterpret_cast<Node*>(entry->expr);
    entry->expr = reinterpret_cast<Expr*>(
        makeNullConst(exprType(expr), exprTypmod(expr), exprCollation(expr)));
  }
}

// `query` is range table entry `index` of `around`.
void TrimSubquery(Query* around, int index, Query* query) {
  Reads reads = {index, 0, nullptr, false};
  WalkQuery(around, CollectReads, &reads);
  if (!reads.whole) TrimColumns(query, reads.columns);
}

bool TrimSublinks(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, SubLink)) {
    auto* sublink = reinterpret_cast<SubLink*>(node);
    auto* query = reinterpret_cast<Query*>(sublink->subselect);
    if (sublink->subLinkType == EXISTS_SUBLINK && CanTrim(query)) TrimColumns(query, nullptr);
    TrimUnreadColumns(query);
    return TrimSublinks(sublink->testexpr, context);
  }
  return WalkChildren(node, TrimSublinks, context);
}

}  // namespace

void TrimUnreadColumns(Query* query) {
  check_stack_depth();
  for (int i = 0; i < list_length(query->rtable); ++i) {
    auto* rte = static_cast<RangeTblEntry*>(list_nth(query->rtable, i));
    if (rte->rtekind != RTE_SUBQUERY) continue;
    if (query->setOperations == nullptr && CanTrim(rte->subquery)) {
      TrimSubquery(query, i + 1, rte->subquery);
    }
    TrimUnreadColumns(rte->subquery);
  }
  WalkLevel(query, TrimSublinks, nullptr);
  ListCell* cell;
  foreach (cell, query->cteList) {
    TrimUnreadColumns(
        reinterpret_cast<Query*>(static_cast<CommonTableExpr*>(lfirst(cell))->ctequery));
  }
}

}  // namespace tviews::backend::lineage
