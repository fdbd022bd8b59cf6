// Triggers and rules that would break a TVIEW: on it, on its view, or under a name of ours.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  FailedPrecondition with a hint that says what to do instead

#ifndef PG_TVIEWS_BACKEND_DDL_TRIGGER_REFUSALS_H_
#define PG_TVIEWS_BACKEND_DDL_TRIGGER_REFUSALS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct AlterObjectDependsStmt;
struct AlterTableCmd;
struct CreateTrigStmt;
struct DropStmt;
struct RenameStmt;
struct RuleStmt;

namespace tviews::backend {

// INSTEAD OF triggers, and rules, of a backing view would be another way to write; rules replace
// the query.
absl::Status CheckCreateTrigger(const CreateTrigStmt* statement);
absl::Status CheckCreateRule(const RuleStmt* statement);
// True if the command is about the trigger by which pg_repack follows the table.
absl::StatusOr<bool> IsAboutRepackTrigger(RelationId table, const AlterTableCmd* command);
// DROP EXTENSION of another one would take the trigger along.
absl::Status CheckDepends(const AlterObjectDependsStmt* statement);
absl::Status CheckRenameTrigger(const RenameStmt* statement);
absl::Status CheckDropTriggers(const DropStmt* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_TRIGGER_REFUSALS_H_
