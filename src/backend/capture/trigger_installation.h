// The capture triggers on source tables: which tables have them, and keeping that so.
//
// Layer:   backend
// Sharing: private to one process; the triggers are catalog entries
// Errors:  returns Status
//
// pg_tviews_capture, AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW, and pg_tviews_truncate, AFTER
// TRUNCATE FOR EACH STATEMENT, both ENABLE ALWAYS, so that subscribers of logical replication
// capture too. On a partitioned table the row trigger stands at the root and the server clones it
// to the partitions; the TRUNCATE trigger does not clone, and logical replication truncates leaves,
// so every member of a tree has one (ATTACKS A7). Inheritance children have both.
//
// (1) A table has the triggers exactly if it, or a table that it inherits from, is a source.

#ifndef PG_TVIEWS_BACKEND_CAPTURE_TRIGGER_INSTALLATION_H_
#define PG_TVIEWS_BACKEND_CAPTURE_TRIGGER_INSTALLATION_H_

#include <set>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// True if `name` is that of a capture trigger.
bool IsCaptureTrigger(std::string_view name) noexcept;

// Creates what is missing on `table` and everything that inherits from it; puts what is there back
// to ENABLE ALWAYS.
absl::Status InstallCaptureTriggers(RelationId table);

// Before `child` becomes a partition of `parent`: its own row trigger would be in the way of the
// clone, if `parent` has one to clone, and its statement triggers have transition tables, for which
// older minor releases (16.2 is one) refuse the command.
absl::Status MakeRoomForAttach(RelationId parent, RelationId child);

// The same before `child` inherits from another table.
absl::Status MakeRoomForInherit(RelationId child);

// Installs or removes them, whichever (1) asks for.
absl::Status SyncCaptureTriggers(RelationId table);

// Installs what is missing on every source; returns how many sources there are.
absl::StatusOr<int> ReinstallCaptureTriggers();

// Puts statement triggers with transition tables on every source that has neither parents nor
// children, or takes them away; returns on, or from, how many. In a tree the row trigger stays: DML
// on a member fires only that member's statement triggers, and a row that moves between partitions
// leaves the two tables of a statement uneven. A table that joins a tree goes back to row triggers.
absl::StatusOr<int> InstallStatementTriggers();
absl::StatusOr<int> UninstallStatementTriggers();

// Drops the triggers of `tables` and of what inherits from them where no TVIEW needs them any more.
absl::Status RemoveUnneededCaptureTriggers(const std::set<RelationId>& tables);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_CAPTURE_TRIGGER_INSTALLATION_H_
