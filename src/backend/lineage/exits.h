// Leaving a query level by its output columns (LINEAGE F), and what stands in the way (LINEAGE G).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_EXITS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_EXITS_H_

#include "backend/lineage/columns.h"
#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// A member of the level whose rows determine the columns: expressions[i] is column i of the request
// over that member, in global form; null where it does not determine that one (LINEAGE K).
struct ExitTarget {
  Occurrence* member = nullptr;
  PlainArray<Expr*> expressions;
};

// A window or DISTINCT ON whose rows influence each other across keys.
struct MatesBlock {
  PlainArray<Expr*> expressions;  // PARTITION BY or DISTINCT ON, in global form
  PlainArray<Oid32> equalities;
  const char* name = nullptr;
};

struct Exit {
  const char* why_not = nullptr;  // set: there is no exit
  bool is_constant = false;       // the same values whatever the rows: every member is a target
  PlainArray<Expr*> constants;
  // Rows in which one of these is NULL-extended do not matter.
  Bitmapset* nonnull = nullptr;
  PlainArray<ExitTarget> targets;
  PlainArray<MatesBlock> mates;  // LINEAGE G applies to each
};

// `allows_parts`: targets may determine some of the columns.
Exit* FindExit(const Scope* scope, const ExitRequest& request, bool allows_parts = false);

// True if the path can leave `scope` and every level below it that the columns come from.
bool CanLeave(const Scope* scope, const ExitRequest& request);

// LINEAGE C4: the join at or below `item` that makes coalesce(left, right) a merged column, that is
// FULL JOIN ON left = right. Null if there is none.
const JoinItem* MergingJoin(const JoinItem* item, Node* left, Node* right);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_EXITS_H_
