// Output columns of a level: what they are, how conditions and columns above use them, and which
// rows inside they come from.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_COLUMNS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_COLUMNS_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// An output column by which a path leaves a level, and how it is used above.
struct ExitColumn {
  AttributeNumber number = 0;
  bool is_strict = false;  // rows with NULL here do not matter above
  Oid32 equality = 0;      // compared above by this operator alone; 0: used in another way
  Oid32 equality_collation = 0;
};

struct ExitRequest {
  PlainArray<ExitColumn> columns;
};

// The expression of output column `number`, in global form; null if there is no such column.
Expr* OutputOf(const Scope* scope, AttributeNumber number);

// What the exit `expressions` of a level, or the conditions `conjuncts`, ask of the subquery
// `member`.
ExitRequest RequestOf(const Occurrence* member, const ExitRequest& outer,
                      const PlainArray<Expr*>& expressions);
ExitRequest RequestOf(const Occurrence* member, const PlainArray<Expr*>& conjuncts);

// The member of `scope`, never NULL-extended, that one row of the level takes all these columns
// from, and can be joined alone; adds the columns over it. Null if there is none.
Occurrence* FindCarrier(const Scope* scope, const ExitRequest& request,
                        PlainArray<Expr*>* expressions);

// `expr` with the columns of `member` in `request` replaced by `columns`, which may have another
// collation on their own.
Expr* ReplaceColumns(Expr* expr, const Occurrence* member, const ExitRequest& request,
                     const PlainArray<Expr*>& columns);

// The member of `scope` with that id, or null.
Occurrence* MemberWithId(const Scope* scope, int id);

// True if `conjunct` is not true where column `number` of `member` is NULL.
bool IsStrictInColumn(Expr* conjunct, const Occurrence* member, AttributeNumber number);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_COLUMNS_H_
