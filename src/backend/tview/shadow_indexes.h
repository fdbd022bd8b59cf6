// The indexes of a TVIEW and of its shadow: made alike, so that their files can be exchanged.
//
// Layer:   backend
// Sharing: private to one process; catalog entries
// Errors:  returns Status
//
// The shadow gets what the TVIEW has while it is empty, and batches keep that up to date. At the
// exchange each index of the TVIEW takes the file of one that says the same. One that has no such
// counterpart, because it has been created meanwhile, is built anew.

#ifndef PG_TVIEWS_BACKEND_TVIEW_SHADOW_INDEXES_H_
#define PG_TVIEWS_BACKEND_TVIEW_SHADOW_INDEXES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Sets default_tablespace until the end of the transaction, and returns what it was.
absl::StatusOr<std::string> SetTablespace(const std::string& name);

// Creates on `table` the indexes that `model` has and `table` lacks, except its primary key and
// those that need one of the columns `without`.
// REQUIRES: both have the same columns at the same places, but for those that `table` lacks.
absl::Status CopyIndexes(RelationId model, RelationId table,
                         const std::vector<AttributeNumber>& without);

// Exchanges the files of `tview`, its TOAST table and its indexes with those of `shadow`, and
// builds those that find none. REQUIRES: `tview` is empty, and both are locked in ACCESS EXCLUSIVE
// mode.
absl::Status ExchangeRows(RelationId tview, RelationId shadow);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_SHADOW_INDEXES_H_
