#include "backend/ddl/database_ddl.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/xact.h>
#include <catalog/pg_authid.h>
#include <catalog/pg_database.h>
#include <commands/dbcommands.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <nodes/value.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

const char* TemplateOf(const CreatedbStmt* statement) {
  ListCell* cell;
  foreach (cell, statement->options) {
    const auto* option = reinterpret_cast<const DefElem*>(lfirst(cell));
    if (strcmp(option->defname, "template") == 0 && option->arg != nullptr) {
      return strVal(option->arg);
    }
  }
  return nullptr;  // template1, in which nobody keeps TVIEWs and which has no applier
}

// The other properties of a database can be changed while it is used.
bool MovesDatabase(const AlterDatabaseStmt* statement) {
  ListCell* cell;
  foreach (cell, statement->options) {
    if (strcmp(reinterpret_cast<const DefElem*>(lfirst(cell))->defname, "tablespace") == 0) {
      return true;
    }
  }
  return false;
}

const char* NameOf(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
      return reinterpret_cast<const DropdbStmt*>(statement)->dbname;
    case T_AlterDatabaseStmt: {
      const auto* alter = reinterpret_cast<const AlterDatabaseStmt*>(statement);
      return MovesDatabase(alter) ? alter->dbname : nullptr;
    }
    case T_CreatedbStmt:
      return TemplateOf(reinterpret_cast<const CreatedbStmt*>(statement));
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    default:
      return nullptr;
  }
}

// As the server's own check, which it keeps to itself.
bool MayCreateDatabases() {
  if (superuser()) return true;
  HeapTuple role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
  if (!HeapTupleIsValid(role)) return false;
  const bool may = reinterpret_cast<Form_pg_authid>(GETSTRUCT(role))->rolcreatedb;
  ReleaseSysCache(role);
  return may;
}

bool IsTemplate(Oid database) {
  HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
  if (!HeapTupleIsValid(row)) return false;
  const bool is_template = reinterpret_cast<Form_pg_database>(GETSTRUCT(row))->datistemplate;
  ReleaseSysCache(row);
  return is_template;
}

// What the command is going to ask of the role. Inside a Call.
bool MayRun(const Node* statement, Oid database) {
  const bool is_owner = pg::compat::OwnsObject(DatabaseRelationId, database, GetUserId());
  switch (nodeTag(statement)) {
    case T_CreatedbStmt:
      return MayCreateDatabases() && (is_owner || IsTemplate(database)) &&
             !OidIsValid(
                 get_database_oid(reinterpret_cast<const CreatedbStmt*>(statement)->dbname, true));
    case T_RenameStmt:
      return MayCreateDatabases() && is_owner;
    default:
      return is_owner;
  }
}

// Set while the transaction has created a database.
bool has_created_database = false;

// What a command of this transaction has parked; 0 after it.
DatabaseId parked_database = 0;

void OnTransactionEnd(XactEvent event, void*) {
  pg::EnterQuietly([event] {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
    // The command has failed: nobody has to wait until the time is over.
    if (event == XACT_EVENT_ABORT && parked_database != 0) {
      pg::UnparkSlot(parked_database);
      parked_database = 0;
    }
    if (event == XACT_EVENT_COMMIT && has_created_database) pg::VisitNewDatabases();
    has_created_database = false;
  });
}

}  // namespace

void RegisterDatabaseCallbacks() { RegisterXactCallback(OnTransactionEnd, nullptr); }

void NoteCreateDatabase(const Node* statement) noexcept {
  if (IsA(statement, CreatedbStmt)) has_created_database = true;
}

absl::StatusOr<DatabaseId> DatabaseToPark(const Node* statement, bool is_top_level) {
  const char* const name = NameOf(statement);
  if (name == nullptr) return DatabaseId{0};
  return pg::CallFor([=]() -> DatabaseId {
    // Refused in a transaction block, except for RENAME.
    if (!IsA(statement, RenameStmt) && IsInTransactionBlock(is_top_level)) return InvalidOid;
    const Oid database = get_database_oid(name, true);
    return OidIsValid(database) && MayRun(statement, database) ? database : InvalidOid;
  });
}

absl::Status ParkDatabase(DatabaseId database) {
  if (database == MyDatabaseId) return absl::OkStatus();  // the command will say so
  parked_database = database;
  return pg::Call([database] {
    while (pg::ParkSlot(database)) {
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10,
                pg::WaitEvent(pg::Wait::kEndOfApplier));
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }
  });
}

absl::Status UnparkDatabase(DatabaseId database) {
  bool exists = false;
  TVIEWS_RETURN_IF_ERROR(
      pg::Call([&] { exists = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database)); }));
  if (exists) {
    pg::UnparkSlot(database);
  } else {
    pg::FreeParkedSlot(database);
  }
  parked_database = 0;
  return absl::OkStatus();
}

}  // namespace tviews::backend
