// Outer joins reduced, and which conditions lead from one occurrence to another (LINEAGE B and C).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_JOINS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_JOINS_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// Where a condition stands, after reduction.
enum class JoinKind {
  kInner,  // WHERE, or the ON of an inner join
  kLeft,
  kFull,
  kLateral,  // no condition: a computed occurrence is evaluated for each row of what it uses
};

struct PlacedConjunct {
  Expr* expr;  // null for kLateral
  Bitmapset* uses;
  JoinKind join;
  Bitmapset* preserved;  // kLeft: ids on either side
  Bitmapset* nullable_side;
  Bitmapset* nullable_below;  // ids that a join further down may replace by NULLs
  bool can_lead;              // may be evaluated in a lookup at all
};

// A condition between two occurrences, seen from one of them.
struct Link {
  int conjunct;       // its place in ReducedJoins.conjuncts
  Occurrence* other;  // null if it is not of this scope
};

// The joins of one scope as they are for rows in which `nonnull` is not NULL-extended.
struct ReducedJoins {
  PlainArray<PlacedConjunct> conjuncts;
  Bitmapset* nullable;                 // ids that may be NULL-extended in the result of FROM
  PlainArray<PlainArray<Link>> links;  // by position: a scope may have hundreds of members
};

ReducedJoins* ReduceJoins(const Scope* scope, Bitmapset* nonnull);

// A column of `member` that has the same value as `expr`, a column of another member, in every row:
// by a condition of an inner join that compares them by their type's equality, which is sameness.
// Null if there is none.
Expr* EqualColumn(const ReducedJoins& joins, Expr* expr, const Occurrence* member);

// The same for the rows of `from` and what is joined with them, where the condition leads from
// `from`, whose column it is, to the occurrence `to` of `expr`.
Expr* LeadingColumn(const ReducedJoins& joins, Expr* expr, const Occurrence* from,
                    const Occurrence* to);

// True if the hop from `from`, of the joins' scope, to `to`, of the same scope, is valid.
bool LeadsTo(const PlacedConjunct& conjunct, const Occurrence* from, const Occurrence* to);
// The same where `to` belongs to a scope around; `to_nullable`: it may be NULL-extended where this
// scope is evaluated.
bool LeadsOut(const PlacedConjunct& conjunct, const Occurrence* from, const Occurrence* to,
              bool to_nullable);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_JOINS_H_
