// What is in quarantine, as readers ask.
//
// Layer:   pg
// Sharing: reads the table pg_tview_dead_letter
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_COMMON_DEAD_LETTER_H_
#define PG_TVIEWS_SHARED_PG_COMMON_DEAD_LETTER_H_

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::pg {

// True if `tview`, or a key of it, is in quarantine as of the latest snapshot. A scan of an index
// of a table that is empty as a rule.
absl::StatusOr<bool> HasDeadLetter(RelationId tview);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_DEAD_LETTER_H_
