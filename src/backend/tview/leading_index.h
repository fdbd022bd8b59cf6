// Whether an index finds rows by a column.
//
// Layer:   backend
// Sharing: immutable
// Errors:  raises

#ifndef PG_TVIEWS_BACKEND_TVIEW_LEADING_INDEX_H_
#define PG_TVIEWS_BACKEND_TVIEW_LEADING_INDEX_H_

#include "shared/types.h"

namespace tviews::backend {

// True if a valid index that is not partial is led by `column`, or if `relation` can have none.
// Raises: call it in pg::Call.
bool HasLeadingIndex(RelationId relation, AttributeNumber column);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_LEADING_INDEX_H_
