// Rows that a command brings to, or takes from, what TVIEWs read, without any trigger seeing them:
// a partition that is attached, detached, dropped or truncated.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; interruptible
//
// They are noted one by one, as if each had been inserted: the batch then looks for the keys of
// these rows, and does not compare a TVIEW with all of its query because of a partition. A
// transaction that notes more than pg_tviews.transaction_memory holds ends as before: the relation
// has changed as a whole.

#ifndef PG_TVIEWS_BACKEND_CAPTURE_MOVED_ROWS_H_
#define PG_TVIEWS_BACKEND_CAPTURE_MOVED_ROWS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct DropStmt;
struct TruncateStmt;

namespace tviews::backend {

// Notes every row of `relation`, and of what inherits from it, for whatever reads it or an
// ancestor.
absl::Status NoteRows(RelationId relation);
// The same of what has just got an ancestor: others are kept from writing, as they do not know the
// ancestor yet.
absl::Status NoteArrivedRows(RelationId relation);

// Before DROP TABLE: notes the rows of the partitions and inheritors that it names.
absl::Status PrepareDrop(const DropStmt* statement);
bool IsDropNoted(RelationId relation);

// True if it is known without reading that neither `relation` nor anything below it has a row.
absl::StatusOr<bool> IsKnownToBeEmpty(RelationId relation);

// Before TRUNCATE, whose triggers fire when nothing is left to look at: notes the rows of
// partitions that it names, and remembers them, and what is empty, so that their triggers note
// nothing more.
absl::Status PrepareTruncate(const TruncateStmt* statement);
bool IsTruncateNoted(RelationId relation);
// After either command.
void ForgetNoted();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_CAPTURE_MOVED_ROWS_H_
