#include "backend/lineage/flatten_joins.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Appends the columns of one side of a join to those of the join; returns their numbers.
List* AppendColumns(const Query* query, const Node* side, RangeTblEntry* join) {
  const int index = IsA(side, RangeTblRef) ? reinterpret_cast<const RangeTblRef*>(side)->rtindex
                                           : reinterpret_cast<const JoinExpr*>(side)->rtindex;
  List* numbers = NIL;
  ListCell* cell;
  foreach (cell, rt_fetch(index, query->rtable)->eref->colnames) {
    join->eref->colnames = lappend(join->eref->colnames, lfirst(cell));
    join->joinaliasvars = lappend(join->joinaliasvars, nullptr);
    numbers = lappend_int(numbers, list_length(numbers) + 1);
  }
  return numbers;
}

// The server prints a join by the lists of its columns: as of one without USING, they are all of
// the left side, then all of the right one. No variable refers to them any more.
void ListAllColumns(const Query* query, const JoinExpr* join) {
  RangeTblEntry* const rte = rt_fetch(join->rtindex, query->rtable);
  rte->joinmergedcols = 0;
  rte->joinaliasvars = NIL;
  rte->eref->colnames = NIL;
  rte->joinleftcols = AppendColumns(query, join->larg, rte);
  rte->joinrightcols = AppendColumns(query, join->rarg, rte);
}

void FlattenJoinItem(const Query* query, Node* item) {
  if (IsA(item, FromExpr)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<FromExpr*>(item)->fromlist) {
      FlattenJoinItem(query, static_cast<Node*>(lfirst(cell)));
    }
  } else if (IsA(item, JoinExpr)) {
    auto* join = reinterpret_cast<JoinExpr*>(item);
    // The condition of USING and NATURAL is in quals as well. Without aliases the sides stay
    // visible to flattened variables when the tree is written as text.
    join->alias = nullptr;
    join->join_using_alias = nullptr;
    join->usingClause = NIL;
    join->isNatural = false;
    FlattenJoinItem(query, join->larg);
    FlattenJoinItem(query, join->rarg);
    ListAllColumns(query, join);
  }
}

template <typename T>
void Flatten(Query* query, T** node) {
  if (*node != nullptr) {
    *node =
        reinterpret_cast<T*>(pg::compat::FlattenJoinAliases(query, reinterpret_cast<Node*>(*node)));
  }
}

}  // namespace

void FlattenJoins(Query* query) {
  Flatten(query, &query->targetList);
  Flatten(query, &query->jointree);
  Flatten(query, &query->havingQual);
  Flatten(query, &query->limitCount);
  Flatten(query, &query->limitOffset);
  ListCell* cell;
  foreach (cell, query->windowClause) {
    auto* window = static_cast<WindowClause*>(lfirst(cell));
    Flatten(query, &window->startOffset);
    Flatten(query, &window->endOffset);
  }
  foreach (cell, query->rtable) {
    auto* rte = static_cast<RangeTblEntry*>(lfirst(cell));
    Flatten(query, &rte->subquery);
    Flatten(query, &rte->functions);
    Flatten(query, &rte->tablefunc);
    Flatten(query, &rte->values_lists);
    if (rte->rtekind == RTE_JOIN) {
      rte->alias = nullptr;
      rte->join_using_alias = nullptr;
    }
  }
  if (query->jointree != nullptr) {
    FlattenJoinItem(query, reinterpret_cast<Node*>(query->jointree));
  }
}

}  // namespace tviews::backend::lineage
