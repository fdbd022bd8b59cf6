// DROP, RENAME, SET TABLESPACE and CREATE ... TEMPLATE of a database: they want it without other
// sessions, so its applier steps aside.
//
// Layer:   backend
// Sharing: shared memory (the database's slot)
// Errors:  returns Status; interruptible
//
// A database is parked for a limited time, so that a session that dies in the command leaves
// nothing behind: the applier just comes back a little later. A command that fails gives it back at
// once.

#ifndef PG_TVIEWS_BACKEND_DDL_DATABASE_DDL_H_
#define PG_TVIEWS_BACKEND_DDL_DATABASE_DDL_H_

#include "absl/status/statusor.h"
#include "shared/types.h"

struct Node;

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterDatabaseCallbacks();

// A copied database may have TVIEWs: once the command has committed, the launcher looks for new
// databases.
void NoteCreateDatabase(const Node* statement) noexcept;

// The database that `statement` wants for itself; 0 if it is another kind of command, if there is
// no such database, or if the role, or the transaction block, will be refused the command.
absl::StatusOr<DatabaseId> DatabaseToPark(const Node* statement, bool is_top_level);

// Sends the applier of `database` away and waits until it has gone.
absl::Status ParkDatabase(DatabaseId database);

// The command has succeeded: a dropped database's slot is freed, otherwise work goes on.
absl::Status UnparkDatabase(DatabaseId database);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_DATABASE_DDL_H_
