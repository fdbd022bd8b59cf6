#include "backend/capture/trigger_installation.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "backend/capture/source_members.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/lmgr.h>
#include <utils/elog.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

absl::Status Run(const std::string& sql) { return pg::ExecuteCommand(sql); }

// `mode`: "ALWAYS ", "REPLICA " or "".
absl::Status Enable(const SourceMember& member, const std::string& mode, const char* trigger) {
  return Run("ALTER TABLE " + member.name + " ENABLE " + mode + "TRIGGER " + trigger);
}

absl::Status DropTrigger(const SourceMember& member, const char* trigger) {
  return Run("DROP TRIGGER " + std::string(trigger) + " ON " + member.name);
}

absl::Status CreateStatementTriggers(const SourceMember& member) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string function, ExtensionObject("pg_tviews_capture"));
  for (const StatementTrigger& trigger : kStatementTriggers) {
    TVIEWS_RETURN_IF_ERROR(Run(absl::StrCat(
        "CREATE TRIGGER ", trigger.name, " AFTER ", trigger.event, " ON ", member.name,
        " REFERENCING ", trigger.tables, " FOR EACH STATEMENT EXECUTE FUNCTION ", function, "()")));
  }
  return absl::OkStatus();
}

absl::Status DropStatementTriggers(const SourceMember& member) {
  for (const std::string& trigger : member.statement_triggers) {
    TVIEWS_RETURN_IF_ERROR(DropTrigger(member, trigger.c_str()));
  }
  return absl::OkStatus();
}

// Triggers that somebody has given one of our names, or that were ours before they got a condition.
// A clone goes with the trigger that it was cloned from, which is on a member before this one.
absl::Status ClearAltered(const std::vector<SourceMember>& members) {
  for (const SourceMember& member : members) {
    if (!member.foreign.empty()) {
      return pg::MakeError(
          absl::StatusCode::kAlreadyExists,
          {.message = "trigger \"" + member.foreign + "\" on table " + member.name +
                      " is not one of pg_tviews",
           .detail = "The name is reserved: under it the changes of the table are captured.",
           .hint = "Drop or rename the trigger.",
           .sqlstate = "42710"});
    }
    for (const std::string& trigger : member.altered) {
      TVIEWS_RETURN_IF_ERROR(Run("DROP TRIGGER IF EXISTS " + trigger + " ON " + member.name));
    }
  }
  return absl::OkStatus();
}

bool HaveAltered(const std::vector<SourceMember>& members) {
  return std::any_of(members.begin(), members.end(), [](const SourceMember& member) {
    return !member.altered.empty() || !member.foreign.empty();
  });
}

// Rows are captured by the row trigger always; or, where there are statement triggers, by those in
// ordinary sessions and by the row trigger where changes are replayed row by row (ATTACKS A9).
absl::Status SetMode(const SourceMember& member) {
  const bool by_statement = member.has_statement_triggers && member.is_alone;
  if (!by_statement) TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  if (member.row_trigger_state != (by_statement ? "R" : "A")) {
    TVIEWS_RETURN_IF_ERROR(Enable(member, by_statement ? "REPLICA " : "ALWAYS ", kRowTrigger));
  }
  if (!by_statement || member.statement_triggers_are_enabled) return absl::OkStatus();
  for (const StatementTrigger& trigger : kStatementTriggers) {
    TVIEWS_RETURN_IF_ERROR(Enable(member, "", trigger.name));
  }
  return absl::OkStatus();
}

absl::Status InstallOn(const SourceMember& member, const std::string& function) {
  if (!member.has_row_trigger) {
    TVIEWS_RETURN_IF_ERROR(Run("CREATE TRIGGER " + std::string(kRowTrigger) +
                               " AFTER INSERT OR UPDATE OR DELETE ON " + member.name +
                               " FOR EACH ROW EXECUTE FUNCTION " + function + "()"));
  }
  TVIEWS_RETURN_IF_ERROR(SetMode(member));
  if (member.is_foreign) return absl::OkStatus();
  if (!member.has_truncate_trigger) {
    TVIEWS_RETURN_IF_ERROR(Run("CREATE TRIGGER " + std::string(kTruncateTrigger) +
                               " AFTER TRUNCATE ON " + member.name +
                               " FOR EACH STATEMENT EXECUTE FUNCTION " + function + "()"));
  }
  if (!member.truncate_trigger_is_always) {
    TVIEWS_RETURN_IF_ERROR(Enable(member, "ALWAYS ", kTruncateTrigger));
  }
  return absl::OkStatus();
}

// Somebody has disabled the triggers of a source, and has been told that it was done.
absl::Status SayThatCaptureStays(const std::vector<SourceMember>& members) {
  const auto disabled =
      std::find_if(members.begin(), members.end(), [](const SourceMember& member) {
        return member.has_row_trigger && member.row_trigger_state == "D";
      });
  if (disabled == members.end()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(disabled->relation));
  return pg::Call([&name] {
    ereport(NOTICE, (errmsg("changes of table %s are captured as before: its capture triggers stay "
                            "enabled",
                            name.c_str()),
                     errhint("pg_tviews_pause() holds back refreshes, and no change is lost.")));
  });
}

// A partition that is a source by itself has a row trigger of its own, which would be in the way of
// the clone.
absl::Status MakeRoomForClones(const std::vector<SourceMember>& members) {
  for (const SourceMember& member : members) {
    if (!member.has_row_trigger || member.row_trigger_is_clone) continue;
    TVIEWS_RETURN_IF_ERROR(DropTrigger(member, kRowTrigger));
  }
  return absl::OkStatus();
}

bool HaveStatementTriggers(const std::vector<SourceMember>& members) {
  return std::any_of(members.begin(), members.end(),
                     [](const SourceMember& member) { return !member.statement_triggers.empty(); });
}

// What becomes of statement triggers that are as they should be.
enum class StatementTriggers { kStay, kGo };

// True if triggers of a tree are dropped while it gets those that it should have.
bool LosesTriggers(const std::vector<SourceMember>& members, StatementTriggers statement_triggers) {
  const bool clones = members.front().is_partitioned && !members.front().has_row_trigger;
  return std::any_of(members.begin(), members.end(), [&](const SourceMember& member) {
    const bool is_to_stay = member.has_statement_triggers && member.is_alone &&
                            statement_triggers == StatementTriggers::kStay;
    return !member.altered.empty() || (!member.statement_triggers.empty() && !is_to_stay) ||
           (clones && member.has_row_trigger);
  });
}

// Every source that is no TVIEW, with everything below it, locked against writers; against readers
// too where triggers will be dropped.
absl::StatusOr<std::vector<RelationId>> LockSourceTables(StatementTriggers statement_triggers) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT DISTINCT source::pg_catalog.oid FROM " + lineage +
                           " WHERE source::pg_catalog.oid NOT IN"
                           " (SELECT tview::pg_catalog.oid FROM " +
                           meta + ") ORDER BY 1"));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  std::vector<RelationId> tables;
  std::vector<RelationId> exclusive;
  for (const RelationId source : RelationIds(found)) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members, ReadMembers(source));
    if (members.empty()) continue;
    tables.push_back(source);
    if (LosesTriggers(members, statement_triggers)) exclusive.push_back(source);
  }
  TVIEWS_RETURN_IF_ERROR(LockTrees(tables, exclusive));
  return RelationIds(found);
}

// REQUIRES: no TVIEW needs those of `table` itself; it and everything below it are locked.
absl::Status RemoveCaptureTriggers(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members, ReadMembers(table));
  for (const SourceMember& member : members) {
    if (member.is_needed) continue;
    if (member.has_row_trigger && !member.row_trigger_is_clone) {
      TVIEWS_RETURN_IF_ERROR(DropTrigger(member, kRowTrigger));
    }
    if (member.has_truncate_trigger) {
      TVIEWS_RETURN_IF_ERROR(DropTrigger(member, kTruncateTrigger));
    }
    TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  }
  for (const SourceMember& member : members) {
    if (member.is_needed) TVIEWS_RETURN_IF_ERROR(InstallCaptureTriggers(member.relation));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsCaptureTrigger(std::string_view name) noexcept {
  for (const StatementTrigger& trigger : kStatementTriggers) {
    if (name == trigger.name) return true;
  }
  return name == kRowTrigger || name == kTruncateTrigger;
}

absl::Status InstallCaptureTriggers(RelationId table) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(std::vector<SourceMember> members, ReadMembers(table));
  if (members.empty()) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(SayThatCaptureStays(members));
  if (HaveAltered(members)) {
    TVIEWS_RETURN_IF_ERROR(ClearAltered(members));
    TVIEWS_ASSIGN_OR_RETURN(members, ReadMembers(table));
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string function, ExtensionObject("pg_tviews_capture"));
  if (members.front().is_partitioned && !members.front().has_row_trigger) {
    TVIEWS_RETURN_IF_ERROR(MakeRoomForClones(members));
  }
  TVIEWS_RETURN_IF_ERROR(InstallOn(members.front(), function));
  // Read again: what the server has cloned from the first is there now.
  TVIEWS_ASSIGN_OR_RETURN(members, ReadMembers(table));
  for (const SourceMember& member : members) TVIEWS_RETURN_IF_ERROR(InstallOn(member, function));
  return absl::OkStatus();
}

absl::Status MakeRoomForAttach(RelationId parent, RelationId child) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> parents, ReadMembers(parent));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<SourceMember> members, ReadMembers(child));
  const bool clones = !parents.empty() && parents.front().has_row_trigger;
  if (!clones && !HaveStatementTriggers(members)) return absl::OkStatus();
  // As ATTACH does, the parent before the child: dropping a trigger locks the child.
  TVIEWS_RETURN_IF_ERROR(pg::Call([parent] { LockRelationOid(parent, ShareUpdateExclusiveLock); }));
  TVIEWS_ASSIGN_OR_RETURN(members, ReadMembers(child));
  for (const SourceMember& member : members) TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  return clones ? MakeRoomForClones(members) : absl::OkStatus();
}

absl::Status MakeRoomForInherit(RelationId child) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members, ReadMembers(child));
  for (const SourceMember& member : members) TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  return absl::OkStatus();
}

absl::Status SyncCaptureTriggers(RelationId table) {
  bool is_needed = false;
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members, ReadMembers(table));
    is_needed = !members.empty() && members.front().is_needed;
  }
  return is_needed ? InstallCaptureTriggers(table) : RemoveUnneededCaptureTriggers({table});
}

absl::StatusOr<int> ReinstallCaptureTriggers() {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources,
                          LockSourceTables(StatementTriggers::kStay));
  for (const RelationId source : sources) TVIEWS_RETURN_IF_ERROR(SyncCaptureTriggers(source));
  return static_cast<int>(sources.size());
}

absl::StatusOr<int> InstallStatementTriggers() {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources,
                          LockSourceTables(StatementTriggers::kStay));
  int installed = 0;
  for (const RelationId source : sources) {
    {
      const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
      TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
      TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members, ReadMembers(source));
      if (members.empty() || !members.front().is_alone) continue;
      ++installed;
      if (!members.front().has_statement_triggers) {
        TVIEWS_RETURN_IF_ERROR(ClearAltered(members));
        TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(members.front()));
        TVIEWS_RETURN_IF_ERROR(CreateStatementTriggers(members.front()));
      }
    }
    TVIEWS_RETURN_IF_ERROR(SyncCaptureTriggers(source));
  }
  return installed;
}

absl::StatusOr<int> UninstallStatementTriggers() {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources,
                          LockSourceTables(StatementTriggers::kGo));
  int removed = 0;
  for (const RelationId source : sources) {
    {
      const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
      TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
      TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members, ReadMembers(source));
      if (members.empty() || members.front().statement_triggers.empty()) continue;
      ++removed;
      TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(members.front()));
    }
    TVIEWS_RETURN_IF_ERROR(SyncCaptureTriggers(source));
  }
  return removed;
}

absl::Status RemoveUnneededCaptureTriggers(const std::set<RelationId>& tables) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  std::vector<RelationId> unneeded;
  for (const RelationId table : tables) {
    // This lock waits for other drops and creations of TVIEWs over the table, and for no writer:
    // the last one of them sees what is needed in the end.
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<SourceMember> members,
                            LockMembers(table, ShareUpdateExclusiveLock));
    if (members.empty() || members.front().is_needed) continue;
    const bool has_some =
        std::any_of(members.begin(), members.end(), [](const SourceMember& member) {
          return member.has_row_trigger || member.has_truncate_trigger ||
                 !member.statement_triggers.empty();
        });
    if (has_some) unneeded.push_back(table);
  }
  TVIEWS_RETURN_IF_ERROR(LockTrees({}, unneeded));
  for (const RelationId table : unneeded) TVIEWS_RETURN_IF_ERROR(RemoveCaptureTriggers(table));
  return absl::OkStatus();
}

}  // namespace tviews::backend
