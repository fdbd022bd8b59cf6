// The table of a TVIEW whose query returns columns of other types than before.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_RETYPED_TABLE_H_
#define PG_TVIEWS_BACKEND_DDL_RETYPED_TABLE_H_

#include <vector>

#include "absl/status/status.h"
#include "backend/ddl/saved_views.h"
#include "shared/types.h"

namespace tviews::backend {

// Fails if column `number` of `relation` is of a type whose functions the current user could have
// run as the owner of `view`.
absl::Status CheckTypeFor(const SavedView& view, RelationId relation, AttributeNumber number);

// Gives columns of `tview` the types that those of its backing view have. Values are cast; where
// that is not possible they are null until the next batch, for which readers wait as for a new
// TVIEW. A snapshot that is older than a rewritten table cannot read it any more.
// REQUIRES: the views that use the columns are out of the way.
absl::Status RetypeTable(RelationId tview, RelationId view,
                         const std::vector<AttributeNumber>& numbers);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_RETYPED_TABLE_H_
