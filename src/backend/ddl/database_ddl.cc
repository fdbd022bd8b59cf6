#include "backend/ddl/database_ddl.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <commands/dbcommands.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <nodes/value.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <utils/syscache.h>
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

const char* NameOf(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
      return reinterpret_cast<const DropdbStmt*>(statement)->dbname;
    case T_AlterDatabaseStmt:
      return reinterpret_cast<const AlterDatabaseStmt*>(statement)->dbname;
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

// Set while the transaction has created a database.
bool has_created_database = false;

void OnTransactionEnd(XactEvent event, void*) {
  pg::EnterQuietly([event] {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
    if (event == XACT_EVENT_COMMIT && has_created_database) pg::VisitNewDatabases();
    has_created_database = false;
  });
}

}  // namespace

void RegisterDatabaseCallbacks() { RegisterXactCallback(OnTransactionEnd, nullptr); }

void NoteCreateDatabase(const Node* statement) noexcept {
  if (IsA(statement, CreatedbStmt)) has_created_database = true;
}

absl::StatusOr<DatabaseId> DatabaseToPark(const Node* statement) {
  const char* const name = NameOf(statement);
  if (name == nullptr) return DatabaseId{0};
  return pg::CallFor([name] { return get_database_oid(name, true); });
}

absl::Status ParkDatabase(DatabaseId database) {
  if (database == MyDatabaseId) return absl::OkStatus();  // the command will say so
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
  pg::UnparkSlot(database, exists);
  return absl::OkStatus();
}

}  // namespace tviews::backend
