// Noting a row as changed that has not changed, so that what depends on it is refreshed.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_CAPTURE_NOTE_ROW_H_
#define PG_TVIEWS_BACKEND_CAPTURE_NOTE_ROW_H_

#include <string>

#include "absl/status/status.h"
#include "shared/types.h"

namespace tviews::backend {

// Adds the row of `table` whose primary key is `key` to the transaction's delta, as if all its
// columns had changed. The applier follows after the commit. A NOTICE where no TVIEW reads the
// table.
absl::Status NoteRow(RelationId table, const std::string& key);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_CAPTURE_NOTE_ROW_H_
