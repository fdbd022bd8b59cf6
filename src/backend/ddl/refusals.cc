#include "backend/ddl/refusals.h"

#include <string>
#include <string_view>

#include "backend/capture/trigger_installation.h"
#include "backend/ddl/pinned_names.h"
#include "backend/reading/executor_hook.h"
#include "backend/tview/names.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <commands/defrem.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <storage/lockdefs.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// 0 where there is no such relation: the command itself will say so.
absl::StatusOr<RelationId> Resolve(const RangeVar* name) {
  if (name == nullptr) return RelationId{0};
  return pg::CallFor([&]() -> RelationId { return RangeVarGetRelid(name, NoLock, true); });
}

absl::StatusOr<bool> NamesTview(const RangeVar* name) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(name));
  return pg::IsTview(relation);
}

absl::Status Refuse(const RangeVar* name, const std::string& what, const std::string& hint) {
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = what + " TVIEW \"" + name->relname + "\"", .hint = hint, .sqlstate = "42809"});
}

absl::Status RefuseIfTview(const RangeVar* name, const std::string& what, const std::string& hint) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, NamesTview(name));
  return is_tview ? Refuse(name, what, hint) : absl::OkStatus();
}

constexpr char kRedefineHint[] =
    "Its columns follow from its query: drop the TVIEW and create it with another query.";
constexpr char kForeignKeyHint[] =
    "Writers would wait for the applier, or it for them. Refer to the source tables instead.";

// A clause of CREATE or ALTER TABLE: a column with its constraints, or a constraint.
absl::Status CheckForeignKeys(const Node* clause) {
  if (clause == nullptr) return absl::OkStatus();
  if (IsA(clause, Constraint)) {
    const auto* constraint = reinterpret_cast<const Constraint*>(clause);
    if (constraint->contype != CONSTR_FOREIGN) return absl::OkStatus();
    return RefuseIfTview(constraint->pktable, "a foreign key cannot refer to", kForeignKeyHint);
  }
  if (IsA(clause, ColumnDef)) {
    const List* const constraints = reinterpret_cast<const ColumnDef*>(clause)->constraints;
    for (int i = 0; i < list_length(constraints); ++i) {
      TVIEWS_RETURN_IF_ERROR(CheckForeignKeys(static_cast<Node*>(list_nth(constraints, i))));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCreateTable(const CreateStmt* statement) {
  for (int i = 0; i < list_length(statement->tableElts); ++i) {
    TVIEWS_RETURN_IF_ERROR(CheckForeignKeys(static_cast<Node*>(list_nth(statement->tableElts, i))));
  }
  for (int i = 0; i < list_length(statement->inhRelations); ++i) {
    TVIEWS_RETURN_IF_ERROR(
        RefuseIfTview(static_cast<RangeVar*>(list_nth(statement->inhRelations, i)),
                      "a table cannot inherit from", "Inherit from a source table instead."));
  }
  return absl::OkStatus();
}

// What ALTER TABLE may do to a TVIEW: how it is stored and to whom it belongs.
bool IsAboutStorage(AlterTableType type) {
  switch (type) {
    case AT_SetStatistics:
    case AT_SetOptions:
    case AT_ResetOptions:
    case AT_SetStorage:
    case AT_SetCompression:
    case AT_ChangeOwner:
    case AT_ClusterOn:
    case AT_DropCluster:
    case AT_SetLogged:
    case AT_SetTableSpace:
    case AT_SetRelOptions:
    case AT_ResetRelOptions:
    case AT_ReplicaIdentity:
      return true;
    default:
      return false;
  }
}

absl::Status CheckAlterCommand(const AlterTableStmt* statement, const AlterTableCmd* command,
                               RelationId relation, bool is_tview) {
  if (is_tview && !IsAboutStorage(command->subtype)) {
    return Refuse(statement->relation, "cannot alter the definition of", kRedefineHint);
  }
  switch (command->subtype) {
    case AT_AddColumn:
    case AT_AddConstraint:
      return CheckForeignKeys(command->def);
    case AT_AddInherit:
      return RefuseIfTview(reinterpret_cast<const RangeVar*>(command->def),
                           "a table cannot inherit from", "Inherit from a source table instead.");
    case AT_AttachPartition:
      return RefuseIfTview(reinterpret_cast<const PartitionCmd*>(command->def)->name,
                           "cannot attach as a partition", kRedefineHint);
    case AT_SetUnLogged: {
      TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
      if (config->targets.empty()) return absl::OkStatus();
      return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                           {.message = "table \"" + std::string(statement->relation->relname) +
                                       "\" cannot become unlogged because TVIEWs read it",
                            .detail = "Crash recovery empties unlogged tables without a trace."});
    }
    default:
      return absl::OkStatus();
  }
}

absl::Status RefuseAlteringView(const RangeVar* view, RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(tview));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot alter view \"" + std::string(view->relname) +
                                   "\" because it is the backing view of a TVIEW",
                        .hint = "Alter " + table + " instead; its view follows.",
                        .sqlstate = "42809"});
}

absl::Status CheckAlterTable(const AlterTableStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  if (relation == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(relation));
  if (owner != 0) return RefuseAlteringView(statement->relation, owner);
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    TVIEWS_RETURN_IF_ERROR(CheckAlterCommand(
        statement, static_cast<AlterTableCmd*>(list_nth(statement->cmds, i)), relation, is_tview));
  }
  return absl::OkStatus();
}

absl::Status CheckReplaceView(const ViewStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId view, ReplacedView(statement));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(view));
  if (owner == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(owner));
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "cannot replace view \"" + std::string(statement->view->relname) +
                  "\" because it is the backing view of a TVIEW",
       .hint = "Drop " + table + " and create it with the new query.",
       .sqlstate = "42809"});
}

// A backing view has the name and the schema that go with its table's.
absl::Status CheckMovesNoBackingView(const RangeVar* view) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(view));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(relation));
  return owner == 0 ? absl::OkStatus() : RefuseAlteringView(view, owner);
}

absl::Status CheckRename(const RenameStmt* statement) {
  if (statement->renameType == OBJECT_VIEW || statement->renameType == OBJECT_TABLE) {
    return CheckMovesNoBackingView(statement->relation);
  }
  if (statement->renameType == OBJECT_COLUMN) {
    TVIEWS_RETURN_IF_ERROR(
        RefuseIfTview(statement->relation, "cannot rename a column of", kRedefineHint));
    TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
    TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(relation));
    if (owner != 0) {
      return Refuse(statement->relation, "cannot rename a column of the view of a", kRedefineHint);
    }
  }
  return absl::OkStatus();
}

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

// INSTEAD OF triggers, and rules, would be another way to write; rules replace the query.
absl::Status CheckAddsToNoBackingView(const RangeVar* view) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(view));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId owner, pg::TviewOfBackingView(relation));
  return owner == 0 ? absl::OkStatus() : RefuseAlteringView(view, owner);
}

absl::Status CheckCreateTrigger(const CreateTrigStmt* statement) {
  TVIEWS_RETURN_IF_ERROR(
      RefuseIfTview(statement->relation, "cannot create a trigger on",
                    "It would run in the applier. Create it on a source table."));
  TVIEWS_RETURN_IF_ERROR(CheckAddsToNoBackingView(statement->relation));
  return CheckCaptureTrigger(statement->relation, statement->trigname);
}

absl::Status CheckCreateRule(const RuleStmt* statement) {
  TVIEWS_RETURN_IF_ERROR(RefuseIfTview(statement->relation, "cannot create a rule on",
                                       "Create it on a source table."));
  return CheckAddsToNoBackingView(statement->relation);
}

// DROP EXTENSION of another one would take the trigger along.
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

absl::Status CheckTruncate(const TruncateStmt* statement) {
  for (int i = 0; i < list_length(statement->relations); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(const RelationId relation,
                            Resolve(static_cast<RangeVar*>(list_nth(statement->relations, i))));
    TVIEWS_RETURN_IF_ERROR(CheckMayChange(relation));
  }
  return absl::OkStatus();
}

// An unpopulated materialized view cannot be read.
absl::Status CheckRefresh(const RefreshMatViewStmt* statement) {
  if (!statement->skipData) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  if (relation == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
  if (config->targets.empty()) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "materialized view \"" + std::string(statement->relation->relname) +
                  "\" cannot become unpopulated because TVIEWs read it",
       .hint = "Refresh it WITH DATA.",
       .sqlstate = "55000"});
}

constexpr char kLockHint[] =
    "The lock would stop the refresh of all TVIEWs. Use REPEATABLE READ for a stable view.";

// LOCK TABLE of a view locks what the view reads, too.
absl::Status CheckLockOfView(const RangeVar* name) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(name));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> below, ReadThrough(relation));
  RelationId tview = 0;
  for (const RelationId read : below) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(read));
    if (is_tview) tview = read;
  }
  if (tview == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(tview));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot lock view \"" + std::string(name->relname) +
                                   "\" because it reads TVIEW " + table,
                        .hint = kLockHint,
                        .sqlstate = "42809"});
}

// Modes that conflict with the applier's ROW EXCLUSIVE. pg_dump takes ACCESS SHARE.
absl::Status CheckLock(const LockStmt* statement) {
  if (statement->mode < ShareLock || !pg::settings::protect) return absl::OkStatus();
  for (int i = 0; i < list_length(statement->relations); ++i) {
    const auto* const name = static_cast<RangeVar*>(list_nth(statement->relations, i));
    TVIEWS_RETURN_IF_ERROR(RefuseIfTview(name, "cannot lock", kLockHint));
    TVIEWS_RETURN_IF_ERROR(CheckLockOfView(name));
  }
  return absl::OkStatus();
}

absl::Status RefuseMovingOutbox(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId outbox, pg::CatalogTableId(pg::CatalogTable::kOutbox));
  if (relation != outbox) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "the rows of \"pg_tview_outbox\" cannot be moved",
       .detail = "Change records are addressed by their place in the table.",
       .hint = "Plain VACUUM keeps it small: its rows live no longer than a refresh."});
}

absl::Status CheckVacuum(const VacuumStmt* statement) {
  bool is_full = false;
  for (int i = 0; i < list_length(statement->options); ++i) {
    DefElem* const option = static_cast<DefElem*>(list_nth(statement->options, i));
    if (std::string_view(option->defname) != "full") continue;
    TVIEWS_ASSIGN_OR_RETURN(is_full, pg::CallFor([&] { return defGetBoolean(option); }));
  }
  if (!is_full) return absl::OkStatus();
  for (int i = 0; i < list_length(statement->rels); ++i) {
    const auto* const table = static_cast<VacuumRelation*>(list_nth(statement->rels, i));
    TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(table->relation));
    TVIEWS_RETURN_IF_ERROR(RefuseMovingOutbox(relation));
  }
  return absl::OkStatus();
}

absl::Status CheckCluster(const ClusterStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  return RefuseMovingOutbox(relation);
}

}  // namespace

absl::Status CheckStatement(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_CreateStmt:
      return CheckCreateTable(reinterpret_cast<const CreateStmt*>(statement));
    case T_AlterTableStmt:
      return CheckAlterTable(reinterpret_cast<const AlterTableStmt*>(statement));
    case T_ViewStmt:
      return CheckReplaceView(reinterpret_cast<const ViewStmt*>(statement));
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      if (rename->renameType == OBJECT_TRIGGER) return CheckRenameTrigger(rename);
      return CheckRename(rename);
    }
    case T_AlterObjectSchemaStmt:
      return CheckMovesNoBackingView(
          reinterpret_cast<const AlterObjectSchemaStmt*>(statement)->relation);
    case T_CreateTrigStmt:
      return CheckCreateTrigger(reinterpret_cast<const CreateTrigStmt*>(statement));
    case T_RuleStmt:
      return CheckCreateRule(reinterpret_cast<const RuleStmt*>(statement));
    case T_AlterObjectDependsStmt:
      return CheckDepends(reinterpret_cast<const AlterObjectDependsStmt*>(statement));
    case T_CreatePolicyStmt:
      return RefuseIfTview(reinterpret_cast<const CreatePolicyStmt*>(statement)->table,
                           "cannot create a policy on",
                           "Create a view over the TVIEW and grant access to that.");
    case T_DropStmt:
      return CheckDropTriggers(reinterpret_cast<const DropStmt*>(statement));
    case T_TruncateStmt:
      return CheckTruncate(reinterpret_cast<const TruncateStmt*>(statement));
    case T_RefreshMatViewStmt:
      return CheckRefresh(reinterpret_cast<const RefreshMatViewStmt*>(statement));
    case T_LockStmt:
      return CheckLock(reinterpret_cast<const LockStmt*>(statement));
    case T_VacuumStmt:
      return CheckVacuum(reinterpret_cast<const VacuumStmt*>(statement));
    case T_ClusterStmt:
      return CheckCluster(reinterpret_cast<const ClusterStmt*>(statement));
    default:
      return absl::OkStatus();
  }
}

}  // namespace tviews::backend
