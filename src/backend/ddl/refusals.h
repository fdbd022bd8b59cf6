// Commands that would break a TVIEW, refused before they run.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  FailedPrecondition or Unimplemented with a hint that says what to do instead
//
// A TVIEW's columns follow from its query, so ALTER TABLE may change how it is stored, not what it
// consists of. Foreign keys, strong locks, triggers, rules and policies would let a session stall
// the applier, or make writers wait for it (ATTACKS A23). Unlogged sources lose their rows in crash
// recovery without a record (A21). The outbox is addressed by ctid, so nothing may move its rows
// (A15). pg_tviews.protect = off allows what only endangers the contents.

#ifndef PG_TVIEWS_BACKEND_DDL_REFUSALS_H_
#define PG_TVIEWS_BACKEND_DDL_REFUSALS_H_

#include "absl/status/status.h"

struct Node;

namespace tviews::backend {

// REQUIRES: the database has TVIEWs. The statement has not run.
absl::Status CheckStatement(const Node* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_REFUSALS_H_
