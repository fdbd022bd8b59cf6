// The other way out where the server refuses to drop a column that TVIEWs read.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// The server names all that depends on the column, and knows one way out: CASCADE, which drops
// the TVIEWs. The error stays the server's; only its hint is another.

#ifndef PG_TVIEWS_BACKEND_DDL_DROP_COLUMN_HINT_H_
#define PG_TVIEWS_BACKEND_DDL_DROP_COLUMN_HINT_H_

#include "absl/status/statusor.h"

struct Node;

namespace tviews::backend {

// In the memory context that was current; null if `statement` drops no column that a TVIEW reads.
absl::StatusOr<const char*> HintForDropColumn(const Node* statement);

// The callback of an error context, whose argument is such a hint.
void GiveDropColumnHint(void* hint);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_DROP_COLUMN_HINT_H_
