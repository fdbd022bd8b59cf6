#include "backend/ddl/trigger_refusals.h"

#include <cstring>
#include <string>

#include "backend/capture/trigger_installation.h"
#include "backend/ddl/named_tview.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/repack.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <catalog/namespace.h>
#include <catalog/pg_trigger.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <parser/parse_func.h>
#include <utils/rel.h>
#include <utils/reltrigger.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// True for a trigger of somebody else that has one of our names. The health check wants it gone.
absl::StatusOr<bool> IsForeign(RelationId table, const char* trigger) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string function, ExtensionObject("pg_tviews_capture"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT FROM pg_catalog.pg_trigger WHERE tgrelid OPERATOR(pg_catalog.=)"
          " $1::pg_catalog.oid AND tgname OPERATOR(pg_catalog.=) $2::pg_catalog.name"
          " AND tgfoid OPERATOR(pg_catalog.<>) $3::pg_catalog.regprocedure",
          {std::to_string(table), trigger, function + "()"}));
  return !found.rows.empty();
}

// A name of ours on a table that TVIEWs read.
absl::Status CheckCaptureTrigger(const RangeVar* table, const char* trigger) {
  if (trigger == nullptr || !IsCaptureTrigger(trigger)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(table));
  if (relation == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
  if (config->targets.empty()) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "trigger \"" + std::string(trigger) + "\" on table \"" +
                                   table->relname + "\" is needed by TVIEWs",
                        .hint = "It goes when the last TVIEW that reads the table is dropped.",
                        .sqlstate = "2BP01"});
}

// The trigger by which pg_repack follows a table, which the applier fires.
absl::StatusOr<bool> IsRepackTrigger(const CreateTrigStmt* statement) {
  return pg::CallFor([statement] {
    if (!statement->row || statement->timing != TRIGGER_TYPE_AFTER) return false;
    const Oid function = LookupFuncName(statement->funcname, 0, nullptr, true);
    return OidIsValid(function) && pg::IsOfRepack(function);
  });
}

}  // namespace

absl::Status CheckCreateTrigger(const CreateTrigStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_repack, IsRepackTrigger(statement));
  if (is_repack) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(
      RefuseIfTview(statement->relation, "cannot create a trigger on",
                    "It would run in the applier. Create it on a source table."));
  TVIEWS_RETURN_IF_ERROR(RefuseIfBackingView(statement->relation));
  return CheckCaptureTrigger(statement->relation, statement->trigname);
}

absl::StatusOr<bool> IsAboutRepackTrigger(RelationId table, const AlterTableCmd* command) {
  if (command->subtype != AT_EnableAlwaysTrig) return false;
  return pg::CallFor([table, command] {
    Relation const relation = table_open(table, NoLock);  // the statement's
    bool is_repack = false;
    for (int i = 0; relation->trigdesc != nullptr && i < relation->trigdesc->numtriggers; ++i) {
      const Trigger& trigger = relation->trigdesc->triggers[i];
      if (std::strcmp(trigger.tgname, command->name) != 0) continue;
      is_repack = pg::IsOfRepack(trigger.tgfoid);
    }
    table_close(relation, NoLock);
    return is_repack;
  });
}

absl::Status CheckCreateRule(const RuleStmt* statement) {
  TVIEWS_RETURN_IF_ERROR(RefuseIfTview(statement->relation, "cannot create a rule on",
                                       "Create it on a source table."));
  return RefuseIfBackingView(statement->relation);
}

absl::Status CheckDepends(const AlterObjectDependsStmt* statement) {
  if (statement->objectType != OBJECT_TRIGGER || statement->remove) return absl::OkStatus();
  return CheckCaptureTrigger(statement->relation, strVal(llast(castNode(List, statement->object))));
}

absl::Status CheckRenameTrigger(const RenameStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_foreign, IsForeign(relation, statement->subname));
  if (!is_foreign) {
    TVIEWS_RETURN_IF_ERROR(CheckCaptureTrigger(statement->relation, statement->subname));
  }
  return CheckCaptureTrigger(statement->relation, statement->newname);
}

absl::Status CheckDropTriggers(const DropStmt* statement) {
  if (statement->removeType != OBJECT_TRIGGER) return absl::OkStatus();
  for (int i = 0; i < list_length(statement->objects); ++i) {
    List* const name = static_cast<List*>(list_nth(statement->objects, i));
    if (list_length(name) < 2) continue;
    RangeVar* table = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      table = makeRangeVarFromNameList(list_truncate(list_copy(name), list_length(name) - 1));
    }));
    const char* const trigger = strVal(llast(name));
    TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(table));
    TVIEWS_ASSIGN_OR_RETURN(const bool is_foreign, IsForeign(relation, trigger));
    if (!is_foreign) TVIEWS_RETURN_IF_ERROR(CheckCaptureTrigger(table, trigger));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
