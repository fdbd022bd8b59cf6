#include "backend/capture/source_members.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/lmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

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

absl::StatusOr<SourceMember> ReadMember(const pg::SqlRow& row) {
  pg::RowReader column(row);
  SourceMember member;
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

}  // namespace

absl::StatusOr<std::vector<SourceMember>> ReadMembers(RelationId table) {
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
  std::vector<SourceMember> members;
  for (const pg::SqlRow& row : result.rows) {
    TVIEWS_ASSIGN_OR_RETURN(members.emplace_back(), ReadMember(row));
  }
  return members;
}

absl::StatusOr<std::vector<SourceMember>> LockMembers(RelationId table, int mode) {
  std::set<RelationId> locked;
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(std::vector<SourceMember> members, ReadMembers(table));
    std::set<RelationId> found;
    for (const SourceMember& member : members) found.insert(member.relation);
    if (std::includes(locked.begin(), locked.end(), found.begin(), found.end())) return members;
    for (const RelationId relation : found) {
      if (!locked.insert(relation).second) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([relation, mode] { LockRelationOid(relation, mode); }));
    }
  }
}

}  // namespace tviews::backend
