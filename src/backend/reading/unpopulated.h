// Statements that read a TVIEW which is not filled yet: they fail, rather than see half of it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// To be called before the snapshot is checked against exchanges (exchanges.h): whom this lets pass
// because the fill has just been completed, that one tells that its snapshot is older. Workers are
// let pass: the applier writes such a TVIEW, and evaluators have their callers asked.

#ifndef PG_TVIEWS_BACKEND_READING_UNPOPULATED_H_
#define PG_TVIEWS_BACKEND_READING_UNPOPULATED_H_

#include "absl/status/status.h"

struct CopyStmt;
struct QueryDesc;

namespace tviews::backend {

absl::Status CheckReadsPopulated(const QueryDesc* query);

// The same for COPY relation TO. pg_dump copies what is there: a TVIEW that is restored is compared
// with its query anyway.
absl::Status CheckCopiesPopulated(const CopyStmt* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_UNPOPULATED_H_
