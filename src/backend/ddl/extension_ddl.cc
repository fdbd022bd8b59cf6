#include "backend/ddl/extension_ddl.h"

#include <cstring>
#include <string>

#include "backend/ddl/source_locks.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <commands/defrem.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <nodes/value.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

bool IsOurs(const char* extension) { return std::strcmp(extension, "pg_tviews") == 0; }

const List* OptionsOf(const Node* statement) {
  return IsA(statement, CreateExtensionStmt)
             ? reinterpret_cast<const CreateExtensionStmt*>(statement)->options
             : reinterpret_cast<const AlterExtensionStmt*>(statement)->options;
}

// What the statement names, else what the control file names; empty without a control file.
absl::StatusOr<std::string> TargetVersion(const Node* statement) {
  const List* const options = OptionsOf(statement);
  for (int i = 0; i < list_length(options); ++i) {
    auto* const option = static_cast<DefElem*>(list_nth(options, i));
    if (std::strcmp(option->defname, "new_version") != 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(const char* version, pg::CallFor([&] { return defGetString(option); }));
    return std::string(version);
  }
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT default_version FROM pg_catalog.pg_available_extensions()"
                           " WHERE name OPERATOR(pg_catalog.=) 'pg_tviews'",
                           {}));
  if (found.rows.empty() || !found.rows[0][0].has_value()) return std::string();
  return *found.rows[0][0];
}

bool DropsUsAndAll(const Node* statement) {
  if (!IsA(statement, DropStmt)) return false;
  const auto* const drop = reinterpret_cast<const DropStmt*>(statement);
  if (drop->removeType != OBJECT_EXTENSION || drop->behavior != DROP_CASCADE) return false;
  for (int i = 0; i < list_length(drop->objects); ++i) {
    if (IsOurs(strVal(list_nth(drop->objects, i)))) return true;
  }
  return false;
}

}  // namespace

bool IsExtensionCommand(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_CreateExtensionStmt:
      return IsOurs(reinterpret_cast<const CreateExtensionStmt*>(statement)->extname);
    case T_AlterExtensionStmt:
      return IsOurs(reinterpret_cast<const AlterExtensionStmt*>(statement)->extname);
    default:
      return false;
  }
}

absl::Status CheckExtensionCommand(const Node* statement) {
  if (!IsExtensionCommand(statement)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string version, TargetVersion(statement));
  return pg::CheckTargetVersion(version);
}

// Left to itself the server would lock the outbox first, and then meet a writer that holds its
// source and is about to write its record, or a batch that holds what it reads: a deadlock.
absl::Status PrepareExtensionDrop(const Node* statement) {
  if (!DropsUsAndAll(statement)) return absl::OkStatus();
  const absl::StatusOr<RelationId> meta = pg::CatalogTableId(pg::CatalogTable::kMeta);
  if (!meta.ok()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool may_drop, pg::CallFor([&] {
                            return pg::compat::OwnsRelation(*meta, GetUserId());
                          }));
  if (!may_drop) return absl::OkStatus();  // the command will say so
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta_name, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      // Not those that damaged metadata names and that are gone.
      pg::ExecuteSqlLatest("SELECT r.oid FROM pg_catalog.pg_class r WHERE r.oid IN"
                           " (SELECT source::pg_catalog.oid FROM " +
                           lineage + " UNION SELECT tview::pg_catalog.oid FROM " + meta_name +
                           ")"));
  return LockTrees({}, RelationIds(found));
}

}  // namespace tviews::backend
