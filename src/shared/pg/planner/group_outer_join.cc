#include "shared/pg/planner/group_outer_join.h"

#include "shared/pg/planner/group_expressions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// True if the tables below `node` are joined with the one table that is nullable in `*join`, which
// is found there.
bool FindOuterJoin(Node* node, JoinExpr** join) {
  if (IsA(node, FromExpr)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<FromExpr*>(node)->fromlist) {
      if (!FindOuterJoin(static_cast<Node*>(lfirst(cell)), join)) return false;
    }
    return true;
  }
  if (!IsA(node, JoinExpr)) return true;
  auto* const found = reinterpret_cast<JoinExpr*>(node);
  if (found->jointype == JOIN_INNER) {
    return FindOuterJoin(found->larg, join) && FindOuterJoin(found->rarg, join);
  }
  if (found->jointype != JOIN_LEFT || *join != nullptr || !IsA(found->rarg, RangeTblRef)) {
    return false;
  }
  *join = found;
  return FindOuterJoin(found->larg, join);
}

bool HasLateral(const Query* query) {
  ListCell* cell;
  foreach (cell, query->rtable) {
    if (lfirst_node(RangeTblEntry, cell)->lateral) return true;
  }
  return false;
}

// True if nothing in the join tree but the condition of the join reads the nullable table.
bool IsReadInOnePlace(Query* query, JoinExpr* join) {
  const int entry = reinterpret_cast<RangeTblRef*>(join->rarg)->rtindex;
  Node* const condition = join->quals;
  join->quals = nullptr;
  const bool is_read = ColumnsIn(reinterpret_cast<Node*>(query->jointree), entry) != nullptr;
  join->quals = condition;
  return !is_read;
}

}  // namespace

JoinExpr* OuterJoinOf(Query* query) {
  JoinExpr* join = nullptr;
  if (!FindOuterJoin(reinterpret_cast<Node*>(query->jointree), &join) || join == nullptr) {
    return nullptr;
  }
  return !HasLateral(query) && IsReadInOnePlace(query, join) ? join : nullptr;
}

}  // namespace tviews::pg
