// The extension's own tables: what anybody attaches to them would run with the extension's rights,
// and what is written to them is believed.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// GRANT ALL ON ALL TABLES IN SCHEMA gives TRIGGER, REFERENCES and the right to write to roles that
// nobody meant to give them to.

#ifndef PG_TVIEWS_BACKEND_DDL_OWN_TABLES_H_
#define PG_TVIEWS_BACKEND_DDL_OWN_TABLES_H_

#include "absl/status/status.h"
#include "shared/types.h"

struct Node;

namespace tviews::backend {

// Refuses triggers, rules, policies and foreign keys on tables of the extension to everybody, and
// locking and emptying them to all but superusers.
absl::Status CheckOwnTables(const Node* statement);

// Refuses to write to `relation` if it is such a table and the current user no superuser: also
// through a view, for which the server asks what the view's owner may.
absl::Status CheckMayWriteOwnTable(RelationId relation);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_OWN_TABLES_H_
