// Snapshots that are older than the rows of a TVIEW.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// A command that rewrites a table leaves nothing in it that an older snapshot could see: an older
// REPEATABLE READ transaction would find it empty. Of a TVIEW that is not an answer: the statement
// fails with 40001, and the next attempt of its transaction has a newer snapshot.

#ifndef PG_TVIEWS_BACKEND_READING_EXCHANGES_H_
#define PG_TVIEWS_BACKEND_READING_EXCHANGES_H_

#include "absl/status/status.h"

struct CopyStmt;
struct QueryDesc;

namespace tviews::backend {

// Fails if `query`, whose relations are locked, reads a TVIEW that its snapshot is too old for.
// READ COMMITTED takes a newer snapshot instead, as a query does that has waited for a lock.
absl::Status CheckExchanges(QueryDesc* query);

// The same for COPY relation TO, which locks the relation here rather than after its snapshot has
// been looked at.
absl::Status CheckExchangesBeforeCopy(const CopyStmt* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_EXCHANGES_H_
