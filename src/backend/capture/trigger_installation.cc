#include "backend/capture/trigger_installation.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/lmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kRowTrigger[] = "pg_tviews_capture";
constexpr char kTruncateTrigger[] = "pg_tviews_truncate";

// The statement triggers; the server wants one for each event that has transition tables.
struct StatementTrigger {
  const char* name;
  const char* event;
  const char* tables;
};
constexpr StatementTrigger kStatementTriggers[] = {
    {"pg_tviews_inserted", "INSERT", "NEW TABLE AS new_rows"},
    {"pg_tviews_updated", "UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"},
    {"pg_tviews_deleted", "DELETE", "OLD TABLE AS old_rows"},
};

// One member of an inheritance or partition tree.
struct Member {
  RelationId relation = 0;
  std::string name;  // quoted and qualified
  bool is_partitioned = false;
  bool is_foreign = false;  // no TRUNCATE trigger before 16: the utility hook sees it
  bool is_needed = false;   // it, or one of its ancestors, is a source
  bool has_row_trigger = false;
  bool row_trigger_is_clone = false;
  std::string row_trigger_state;        // pg_trigger.tgenabled
  bool has_statement_triggers = false;  // all of them
  bool statement_triggers_are_enabled = false;
  bool is_alone = false;  // an ordinary table without parents and children
  bool has_truncate_trigger = false;
  bool truncate_trigger_is_always = false;
  std::vector<std::string> statement_triggers;  // those of them that there are
  std::vector<std::string> altered;             // ours, but not as we create them
  std::string foreign;                          // one that has a name of ours, of somebody else
};

// A trigger counts as one of ours if it is in every respect as it is created here: a condition, a
// column list or another event would let changes escape, an extension that it depends on take it
// away.
constexpr char kIsOurs[] =
    "t.tgfoid = $2::regprocedure AND t.tgqual IS NULL AND t.tgnargs = 0 AND t.tgattr::text = ''"
    " AND NOT t.tgdeferrable AND t.tgconstraint = 0 AND t.tgtype ="
    " CASE t.tgname WHEN 'pg_tviews_capture' THEN 29 WHEN 'pg_tviews_truncate' THEN 32"
    " WHEN 'pg_tviews_inserted' THEN 4 WHEN 'pg_tviews_updated' THEN 16 ELSE 8 END"
    " AND (t.tgnewtable IS NOT NULL) = (t.tgname IN ('pg_tviews_inserted', 'pg_tviews_updated'))"
    " AND (t.tgoldtable IS NOT NULL) = (t.tgname IN ('pg_tviews_updated', 'pg_tviews_deleted'))"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass"
    " AND d.objid = t.oid AND d.deptype = 'x')";

absl::StatusOr<Member> ReadMember(const pg::SqlRow& row) {
  pg::RowReader column(row);
  Member member;
  member.relation = column.Oid();
  member.name = column.Text();
  member.is_partitioned = column.IsTrue();
  member.is_foreign = column.IsTrue();
  member.is_needed = column.IsTrue();
  member.is_alone = column.IsTrue();
  member.row_trigger_is_clone = column.IsTrue();
  const pg::SqlValue row_trigger = column.OptionalText();
  member.has_row_trigger = row_trigger.has_value();
  member.row_trigger_state = row_trigger.value_or("");
  const pg::SqlValue truncate_trigger = column.OptionalText();
  member.has_truncate_trigger = truncate_trigger.has_value();
  member.truncate_trigger_is_always = truncate_trigger == "A";
  member.statement_triggers = column.Words();
  member.has_statement_triggers = member.statement_triggers.size() == std::size(kStatementTriggers);
  member.statement_triggers_are_enabled = column.IsTrue();
  member.altered = column.Words();
  member.foreign = column.TextOrNothing();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return member;
}

// `table` first, then everything below it.
absl::StatusOr<std::vector<Member>> ReadMembers(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage_name, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string function, ExtensionObject("pg_tviews_capture"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "WITH RECURSIVE below (relation, level) AS ("
              " SELECT $1::oid, 0 UNION SELECT inhrelid, level + 1 FROM pg_inherits JOIN below"
              " ON inhparent = relation),"
              " above (start, relation) AS (SELECT relation, relation FROM below UNION"
              " SELECT start, inhparent FROM above JOIN pg_inherits ON inhrelid = relation)"
              " SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind = 'p',"
              " c.relkind = 'f',"
              " EXISTS (SELECT FROM above JOIN ",
              lineage_name,
              " l ON l.source = above.relation WHERE above.start = c.oid),"
              " c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_inherits"
              " WHERE c.oid IN (inhrelid, inhparent)), f.*"
              " FROM (SELECT relation, max(level) AS level FROM below GROUP BY relation) AS b"
              " JOIN pg_class c ON c.oid = b.relation AND c.relkind IN ('r', 'p', 'f')"
              " JOIN pg_namespace n ON n.oid = c.relnamespace"
              " CROSS JOIN LATERAL (SELECT"
              " max(t.tgparentid) FILTER (WHERE is_ours AND tgname = 'pg_tviews_capture') <> 0,"
              " max(tgenabled) FILTER (WHERE is_ours AND tgname = 'pg_tviews_capture'),"
              " max(tgenabled) FILTER (WHERE is_ours AND tgname = 'pg_tviews_truncate'),"
              " string_agg(tgname::text, ' ') FILTER (WHERE is_ours AND is_statement),"
              " bool_and(tgenabled = 'O') FILTER (WHERE is_ours AND is_statement),"
              " string_agg(tgname::text, ' ') FILTER (WHERE NOT is_ours AND has_function),"
              " max(tgname::text) FILTER (WHERE NOT has_function)"
              " FROM (SELECT t.*, ",
              kIsOurs,
              " AS is_ours, t.tgfoid = $2::regprocedure AS has_function, t.tgname NOT IN"
              " ('pg_tviews_capture', 'pg_tviews_truncate') AS is_statement FROM pg_trigger t"
              " WHERE t.tgrelid = c.oid AND t.tgname IN ('pg_tviews_capture',"
              " 'pg_tviews_truncate', 'pg_tviews_inserted', 'pg_tviews_updated',"
              " 'pg_tviews_deleted')) AS t) AS f"
              " ORDER BY b.level, c.oid"),
          {std::to_string(table), function + "()"}));
  std::vector<Member> members;
  for (const pg::SqlRow& row : result.rows) {
    TVIEWS_ASSIGN_OR_RETURN(members.emplace_back(), ReadMember(row));
  }
  return members;
}

// Locks `table` and everything below it, in the order of ids, and reads them again: what another
// session has changed before it gave its locks up is seen. Empty if the table is gone.
absl::StatusOr<std::vector<Member>> LockMembers(RelationId table, int mode) {
  std::set<RelationId> locked;
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(std::vector<Member> members, ReadMembers(table));
    std::set<RelationId> found;
    for (const Member& member : members) found.insert(member.relation);
    if (std::includes(locked.begin(), locked.end(), found.begin(), found.end())) return members;
    for (const RelationId relation : found) {
      if (!locked.insert(relation).second) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([relation, mode] { LockRelationOid(relation, mode); }));
    }
  }
}

absl::Status Run(const std::string& sql) { return pg::ExecuteSql(sql).status(); }

// `mode`: "ALWAYS ", "REPLICA " or "".
absl::Status Enable(const Member& member, const std::string& mode, const char* trigger) {
  return Run("ALTER TABLE " + member.name + " ENABLE " + mode + "TRIGGER " + trigger);
}

absl::Status DropTrigger(const Member& member, const char* trigger) {
  return Run("DROP TRIGGER " + std::string(trigger) + " ON " + member.name);
}

absl::Status CreateStatementTriggers(const Member& member) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string function, ExtensionObject("pg_tviews_capture"));
  for (const StatementTrigger& trigger : kStatementTriggers) {
    TVIEWS_RETURN_IF_ERROR(Run(absl::StrCat(
        "CREATE TRIGGER ", trigger.name, " AFTER ", trigger.event, " ON ", member.name,
        " REFERENCING ", trigger.tables, " FOR EACH STATEMENT EXECUTE FUNCTION ", function, "()")));
  }
  return absl::OkStatus();
}

absl::Status DropStatementTriggers(const Member& member) {
  for (const std::string& trigger : member.statement_triggers) {
    TVIEWS_RETURN_IF_ERROR(DropTrigger(member, trigger.c_str()));
  }
  return absl::OkStatus();
}

// Triggers that somebody has given one of our names, or that were ours before they got a condition.
// A clone goes with the trigger that it was cloned from, which is on a member before this one.
absl::Status ClearAltered(const std::vector<Member>& members) {
  for (const Member& member : members) {
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

bool HaveAltered(const std::vector<Member>& members) {
  return std::any_of(members.begin(), members.end(), [](const Member& member) {
    return !member.altered.empty() || !member.foreign.empty();
  });
}

// Rows are captured by the row trigger always; or, where there are statement triggers, by those in
// ordinary sessions and by the row trigger where changes are replayed row by row (ATTACKS A9).
absl::Status SetMode(const Member& member) {
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

absl::Status InstallOn(const Member& member, const std::string& function) {
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

// A partition that is a source by itself has a row trigger of its own, which would be in the way of
// the clone.
absl::Status MakeRoomForClones(const std::vector<Member>& members) {
  for (const Member& member : members) {
    if (!member.has_row_trigger || member.row_trigger_is_clone) continue;
    TVIEWS_RETURN_IF_ERROR(DropTrigger(member, kRowTrigger));
  }
  return absl::OkStatus();
}

bool HaveStatementTriggers(const std::vector<Member>& members) {
  return std::any_of(members.begin(), members.end(),
                     [](const Member& member) { return !member.statement_triggers.empty(); });
}

// True if triggers of a tree are dropped while it gets those that it should have; with
// `removes_statement_triggers`, also if it only has such ones.
bool LosesTriggers(const std::vector<Member>& members, bool removes_statement_triggers) {
  const bool clones = members.front().is_partitioned && !members.front().has_row_trigger;
  return std::any_of(members.begin(), members.end(), [&](const Member& member) {
    const bool is_to_stay =
        member.has_statement_triggers && member.is_alone && !removes_statement_triggers;
    return !member.altered.empty() || (!member.statement_triggers.empty() && !is_to_stay) ||
           (clones && member.has_row_trigger);
  });
}

// Every source that is no TVIEW, with everything below it, locked against writers; against readers
// too where triggers will be dropped.
absl::StatusOr<std::vector<RelationId>> LockSourceTables(bool removes_statement_triggers) {
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
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(source));
    if (members.empty()) continue;
    tables.push_back(source);
    if (LosesTriggers(members, removes_statement_triggers)) exclusive.push_back(source);
  }
  TVIEWS_RETURN_IF_ERROR(LockTrees(tables, exclusive));
  return RelationIds(found);
}

// REQUIRES: no TVIEW needs those of `table` itself; it and everything below it are locked.
absl::Status RemoveCaptureTriggers(RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(table));
  for (const Member& member : members) {
    if (member.is_needed) continue;
    if (member.has_row_trigger && !member.row_trigger_is_clone) {
      TVIEWS_RETURN_IF_ERROR(DropTrigger(member, kRowTrigger));
    }
    if (member.has_truncate_trigger) {
      TVIEWS_RETURN_IF_ERROR(DropTrigger(member, kTruncateTrigger));
    }
    TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  }
  for (const Member& member : members) {
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
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Member> members, ReadMembers(table));
  if (members.empty()) return absl::OkStatus();
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
  for (const Member& member : members) TVIEWS_RETURN_IF_ERROR(InstallOn(member, function));
  return absl::OkStatus();
}

absl::Status MakeRoomForAttach(RelationId parent, RelationId child) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> parents, ReadMembers(parent));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Member> members, ReadMembers(child));
  const bool clones = !parents.empty() && parents.front().has_row_trigger;
  if (!clones && !HaveStatementTriggers(members)) return absl::OkStatus();
  // As ATTACH does, the parent before the child: dropping a trigger locks the child.
  TVIEWS_RETURN_IF_ERROR(pg::Call([parent] { LockRelationOid(parent, ShareUpdateExclusiveLock); }));
  TVIEWS_ASSIGN_OR_RETURN(members, ReadMembers(child));
  for (const Member& member : members) TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  return clones ? MakeRoomForClones(members) : absl::OkStatus();
}

absl::Status MakeRoomForInherit(RelationId child) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(child));
  for (const Member& member : members) TVIEWS_RETURN_IF_ERROR(DropStatementTriggers(member));
  return absl::OkStatus();
}

absl::Status SyncCaptureTriggers(RelationId table) {
  bool is_needed = false;
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(table));
    is_needed = !members.empty() && members.front().is_needed;
  }
  return is_needed ? InstallCaptureTriggers(table) : RemoveUnneededCaptureTriggers({table});
}

absl::StatusOr<int> ReinstallCaptureTriggers() {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, LockSourceTables(false));
  for (const RelationId source : sources) TVIEWS_RETURN_IF_ERROR(SyncCaptureTriggers(source));
  return static_cast<int>(sources.size());
}

absl::StatusOr<int> InstallStatementTriggers() {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, LockSourceTables(false));
  int installed = 0;
  for (const RelationId source : sources) {
    {
      const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
      TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
      TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(source));
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
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, LockSourceTables(true));
  int removed = 0;
  for (const RelationId source : sources) {
    {
      const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
      TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
      TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(source));
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
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<Member> members,
                            LockMembers(table, ShareUpdateExclusiveLock));
    if (members.empty() || members.front().is_needed) continue;
    const bool has_some = std::any_of(members.begin(), members.end(), [](const Member& member) {
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
