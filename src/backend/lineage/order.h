// Which rows an ordering tells apart, and which values that are equal are the same (LINEAGE J).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_ORDER_H_
#define PG_TVIEWS_BACKEND_LINEAGE_ORDER_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// The members of the level that take one and the same row in all rows of FROM that are equal in
// `keys` (global form): by a unique key among these, or joined by a unique key to such members.
Bitmapset* MembersFixedBy(const Scope* scope, const PlainArray<Expr*>& keys);

// True if that is every member.
bool IsTotalOrder(const Scope* scope, const PlainArray<Expr*>& keys);

// True if `expr` has one image in all rows of FROM that are equal in `keys`.
bool IsFixedBy(const Scope* scope, const PlainArray<Expr*>& keys, Node* expr);

// The same of every output column of the level.
bool AreOutputsFixedBy(const Scope* scope, const PlainArray<Expr*>& keys);

// True if values of the type can be equal without being the same: numeric 1.0 and 1.00.
bool IsCoarse(TypeId type, int typmod, Oid32 collation);
bool IsCoarse(Node* expr);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_ORDER_H_
