#include "backend/ddl/refusals.h"

#include <string>

#include "backend/ddl/named_tview.h"
#include "backend/ddl/pinned_names.h"
#include "backend/ddl/trigger_refusals.h"
#include "backend/ddl/upkeep_refusals.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/parsenodes.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kRedefineHint[] =
    "Its columns follow from its query: pg_tviews_replace gives it another one, with other "
    "columns.";
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

// What somebody who gives this command to a TVIEW wants, and how to have it.
const char* HintForAlter(AlterTableType type, const Node* definition) {
  switch (type) {
    case AT_EnableRowSecurity:
    case AT_ForceRowSecurity:
      return "Create a view over the TVIEW, with a WHERE clause or with security_barrier, and "
             "grant "
             "access to that.";
    case AT_SetUnLogged:
      return "A crash would empty it. Its refreshes write few rows: see "
             "pg_tviews_performance_summary "
             "for what they cost.";
    case AT_AddConstraint:
      if (const auto* const constraint = reinterpret_cast<const Constraint*>(definition);
          constraint != nullptr && IsA(constraint, Constraint) &&
          (constraint->contype == CONSTR_UNIQUE || constraint->contype == CONSTR_PRIMARY)) {
        return "Put the constraint on the source table. For searches, CREATE INDEX on the TVIEW.";
      }
      return "Put the constraint on the source table: the rows of a TVIEW follow from it.";
    default:
      return kRedefineHint;
  }
}

absl::Status CheckAlterCommand(const AlterTableStmt* statement, const AlterTableCmd* command,
                               RelationId relation, bool is_tview) {
  if (is_tview && !IsAboutStorage(command->subtype)) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_of_repack, IsAboutRepackTrigger(relation, command));
    if (is_of_repack) return absl::OkStatus();
    return Refuse(statement->relation, "cannot alter the definition of",
                  HintForAlter(command->subtype, command->def));
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
       .hint = "SELECT pg_tviews_replace(" + QuoteLiteral(table) +
               ", 'SELECT ...') gives the TVIEW another query.",
       .sqlstate = "42809"});
}

absl::Status CheckRename(const RenameStmt* statement) {
  if (statement->renameType == OBJECT_VIEW || statement->renameType == OBJECT_TABLE) {
    return RefuseIfBackingView(statement->relation);
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
      return RefuseIfBackingView(
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
    case T_ClusterStmt:
      return CheckCluster(reinterpret_cast<const ClusterStmt*>(statement));
    default:
      return absl::OkStatus();
  }
}

}  // namespace tviews::backend
