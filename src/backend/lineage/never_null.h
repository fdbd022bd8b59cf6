// Whether an output column can be NULL.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// A strict function may still return NULL for what is not: to_char of an infinite timestamp, the
// bounds of a range, a pattern that does not match. So only functions and operators of the server
// that are known not to are followed.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_NEVER_NULL_H_
#define PG_TVIEWS_BACKEND_LINEAGE_NEVER_NULL_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// True if output column `number` cannot be NULL, by declared constraints and conditions.
bool IsOutputNeverNull(const Scope* scope, AttributeNumber number);

// True if that column of a member cannot be NULL in its rows.
bool IsMemberColumnNeverNull(const Occurrence* member, AttributeNumber column);

// True if whatever makes a row with NULL in one of the output columns `key` come or go is a change
// from which the paths lead to NULL, so that without one there is no such row. Not where an outer
// join can take away the row that the column comes from: paths do not follow that.
bool TellsNulls(const Scope* scope, const PlainArray<AttributeNumber>& key);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_NEVER_NULL_H_
