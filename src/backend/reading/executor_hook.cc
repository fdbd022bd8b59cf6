#include "backend/reading/executor_hook.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/own_tables.h"
#include "backend/reading/exchanges.h"
#include "backend/reading/explain_hook.h"
#include "backend/reading/plan_reads.h"
#include "backend/reading/reader_snapshot.h"
#include "backend/reading/reading.h"
#include "backend/reading/unpopulated.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "backend/tview/restore_session.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <executor/executor.h>
#include <miscadmin.h>
#include <nodes/bitmapset.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <nodes/plannodes.h>
#include <parser/parsetree.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

ExecutorCheckPerms_hook_type previous_check = nullptr;
ExecutorStart_hook_type previous_start = nullptr;
ExecutorRun_hook_type previous_run = nullptr;

// Only described, not run.
constexpr int kNotRun = EXEC_FLAG_EXPLAIN_ONLY | EXEC_FLAG_WITH_NO_DATA;

absl::StatusOr<std::string> SourceNames(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, SourceTables(tview));
  std::vector<std::string> names;
  for (RelationId source : sources) {
    TVIEWS_ASSIGN_OR_RETURN(names.emplace_back(), RelationDisplayName(source));
  }
  std::sort(names.begin(), names.end());
  return absl::StrJoin(names, ", ");
}

absl::Status RefuseChange(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const char* name, pg::CallFor([&] { return get_rel_name(tview); }));
  TVIEWS_ASSIGN_OR_RETURN(const std::string sources, SourceNames(tview));
  const std::string table = name != nullptr ? name : "";
  std::string detail = "Its rows follow from its query; only background workers write them.";
  if (HasTviewPrefix(table)) {
    absl::StrAppend(&detail, " What CREATE TABLE AS creates with the prefix \"",
                    pg::settings::table_prefix,
                    "\" is a TVIEW; CREATE TABLE with a list of columns makes an ordinary table.");
  }
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "cannot change TVIEW \"" + table + "\"",
       .detail = detail,
       .hint = sources.empty() ? "Its query reads no table. For an ordinary table, choose another "
                                 "name, or CREATE TABLE with a list of columns."
                               : "Change its source tables instead: " + sources + ".",
       .sqlstate = "42809"});
}

absl::Status RefuseRowLocks(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const char* name, pg::CallFor([&] { return get_rel_name(tview); }));
  TVIEWS_ASSIGN_OR_RETURN(const std::string sources, SourceNames(tview));
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "cannot lock rows of TVIEW \"" + std::string(name != nullptr ? name : "") + "\"",
       .detail = "The refresh of all TVIEWs would wait for this transaction.",
       .hint = sources.empty() ? "" : "Lock rows of its source tables instead: " + sources + ".",
       .sqlstate = "42809"});
}

absl::Status CheckMayLockRows(RelationId relation) {
  if (!pg::settings::protect) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  return is_tview ? RefuseRowLocks(relation) : absl::OkStatus();
}

bool OnCheckPermissions(TVIEWS_CHECK_PERMS_PARAMETERS) {
  if (previous_check != nullptr && !previous_check(TVIEWS_CHECK_PERMS_ARGUMENTS)) return false;
  for (int i = 0; i < list_length(checked); ++i) {
    const auto* const entry = static_cast<pg::compat::CheckedRelation*>(list_nth(checked, i));
    const AclMode writes = entry->requiredPerms & (ACL_INSERT | ACL_UPDATE | ACL_DELETE);
    if (entry->relid < FirstNormalObjectId || writes == 0) continue;
    const Oid relation = entry->relid;
    if (writes == ACL_INSERT && IsLeftOut(relation)) continue;
    // FOR UPDATE and FOR SHARE need the privilege, but update no column.
    const bool only_locks = writes == ACL_UPDATE && bms_is_empty(entry->updatedCols);
    pg::Enter<bool>([relation, only_locks]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(only_locks ? CheckMayLockRows(relation) : CheckMayChange(relation));
      TVIEWS_RETURN_IF_ERROR(CheckMayWriteOwnTable(relation));
      return true;
    });
  }
  return true;
}

// Whatever a statement looks like, and whatever it was made of: what it writes are its result
// relations. A restore's INSERT must show that it writes no row.
absl::Status CheckResultRelations(const PlannedStmt* plan) {
  for (int i = 0; i < list_length(plan->resultRelations); ++i) {
    const auto* const entry = rt_fetch(list_nth_int(plan->resultRelations, i), plan->rtable);
    if (entry->relid < FirstNormalObjectId) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_left_out, IsLeftOutBy(plan, entry->relid));
    if (!is_left_out) TVIEWS_RETURN_IF_ERROR(CheckMayChange(entry->relid));
  }
  return absl::OkStatus();
}

void OnExecutorStart(QueryDesc* query, int flags) {
  const PlannedStmt* const plan = query->plannedstmt;
  if (plan->resultRelations != nullptr) {
    pg::Enter<bool>([plan]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(CheckResultRelations(plan));
      return true;
    });
  }
  if (MayHaveToWait() && (flags & kNotRun) == 0) {
    pg::Enter<bool>([query]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(PrepareToRead(query));
      return true;
    });
  }
  if (pg::MayHaveUnpopulatedTviews() && (flags & kNotRun) == 0) {
    pg::Enter<bool>([query]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(CheckReadsPopulated(query));
      return true;
    });
  }
  if (pg::MayHaveExchanges() && (flags & kNotRun) == 0) {
    pg::Enter<bool>([query]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(CheckExchanges(query));
      return true;
    });
  }
  NoteQuery();
  if (previous_start != nullptr) {
    previous_start(query, flags);
  } else {
    standard_ExecutorStart(query, flags);
  }
}

void OnExecutorRun(QueryDesc* query, ScanDirection direction,
                   uint64 count TVIEWS_EXECUTE_ONCE_PARAMETER) {
  SnapshotData* const outer = RunningSnapshot();
  SetRunningSnapshot(query->snapshot);
  if (previous_run != nullptr) {
    previous_run(query, direction, count TVIEWS_EXECUTE_ONCE);
  } else {
    standard_ExecutorRun(query, direction, count TVIEWS_EXECUTE_ONCE);
  }
  SetRunningSnapshot(outer);
}

}  // namespace

absl::Status CheckMayChange(RelationId relation) {
  if (!pg::settings::protect) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  return is_tview ? RefuseChange(relation) : absl::OkStatus();
}

void RegisterExecutorHooks() {
  previous_check = ExecutorCheckPerms_hook;
  ExecutorCheckPerms_hook = OnCheckPermissions;
  previous_start = ExecutorStart_hook;
  ExecutorStart_hook = OnExecutorStart;
  previous_run = ExecutorRun_hook;
  ExecutorRun_hook = OnExecutorRun;
  RegisterExplainHook();
  InitializePlanReads();
  RegisterReaderSnapshot();
}

}  // namespace tviews::backend
