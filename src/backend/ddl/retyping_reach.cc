#include "backend/ddl/retyping_reach.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/tview/names.h"
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

// The relation and what has the same columns: inheritors, tables of a composite type.
constexpr char kMembers[] =
    "WITH RECURSIVE members (relation) AS (SELECT $1::oid UNION SELECT step.relation FROM members"
    " CROSS JOIN LATERAL (SELECT inhrelid FROM pg_inherits WHERE inhparent = members.relation"
    " UNION ALL SELECT t.oid FROM pg_class c JOIN pg_class t ON t.reloftype = c.reltype"
    " WHERE c.oid = members.relation AND c.relkind = 'c') AS step (relation))";

std::string NameArray(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(QuoteLiteral(name) + "::name");
  return absl::StrCat("ARRAY[", absl::StrJoin(quoted, ", "), "]");
}

absl::Status LockViews(const std::vector<ViewToSave>& views) {
  for (const ViewToSave& view : views) {
    // Those that are made again in any case, so that nobody has read them before.
    const LOCKMODE mode = view.reads_altered ? AccessExclusiveLock : ShareUpdateExclusiveLock;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { LockRelationOid(view.view, mode); }));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<AlteredColumn>> ReadColumns(RelationId relation,
                                                       const std::vector<std::string>& names) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(kMembers,
                       " SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod, a.attcollation,"
                       " c.relfilenode FROM members JOIN pg_class c ON c.oid = relation"
                       " JOIN pg_attribute a ON a.attrelid = relation AND a.attnum > 0"
                       " AND NOT a.attisdropped AND a.attname = ANY (",
                       NameArray(names), ") ORDER BY 1, 2"),
          {std::to_string(relation)}));
  std::vector<AlteredColumn> columns;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    AlteredColumn altered{};
    altered.relation = column.Oid();
    altered.number = column.Number<AttributeNumber>();
    altered.type = column.Oid();
    altered.modifier = column.Number<std::int32_t>();
    altered.collation = column.Oid();
    altered.file_node = column.Oid();
    TVIEWS_RETURN_IF_ERROR(column.End());
    columns.push_back(altered);
  }
  return columns;
}

absl::StatusOr<std::vector<ViewToSave>> FindViews(RelationId relation,
                                                  const std::vector<std::string>& names) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  const std::string rule =
      " JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_type = '1'"
      " JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v'";
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              kMembers,
              ", direct (view) AS (SELECT r.ev_class FROM members"
              " JOIN pg_attribute a ON a.attrelid = relation AND a.attnum > 0 AND a.attname = ANY "
              "(",
              NameArray(names),
              ") JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
              " AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation"
              " AND d.refobjsubid = a.attnum",
              rule, " WHERE EXISTS (SELECT FROM ", meta,
              " m WHERE r.ev_class = m.backing_view OR r.ev_class = ANY (m.nested_views))),"
              " views (view) AS (SELECT view FROM direct UNION SELECT step.view FROM views"
              " CROSS JOIN LATERAL (SELECT r.ev_class FROM pg_depend d",
              rule,
              " WHERE d.classid = 'pg_rewrite'::regclass"
              " AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> views.view"
              " AND (d.refobjid = views.view OR d.refobjid = (SELECT m.tview FROM ",
              meta,
              " m WHERE m.backing_view = views.view))) AS step (view))"
              " SELECT v.view, coalesce(m.tview::oid, 0), v.view IN (TABLE direct),"
              " (SELECT string_agg(DISTINCT coalesce(read.backing_view::oid, d.refobjid)::text,"
              " ' ') FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
              " AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass"
              " AND d.refobjid <> v.view LEFT JOIN ",
              meta,
              " read ON read.tview = d.refobjid WHERE r.ev_class = v.view AND r.ev_type = '1')"
              " FROM views v LEFT JOIN ",
              meta, " m ON m.backing_view = v.view ORDER BY 1"),
          {std::to_string(relation)}));
  std::vector<ViewToSave> views;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    ViewToSave view;
    view.view = column.Oid();
    view.tview = column.Oid();
    view.reads_altered = column.IsTrue();
    view.reads = column.Numbers<RelationId>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    views.push_back(std::move(view));
  }
  return views;
}

absl::StatusOr<std::vector<ViewToSave>> LockedViews(RelationId relation,
                                                    const std::vector<std::string>& names) {
  TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> views, FindViews(relation, names));
  for (;;) {
    TVIEWS_RETURN_IF_ERROR(LockViews(views));
    // While locks were waited for, others may have come or gone.
    TVIEWS_ASSIGN_OR_RETURN(std::vector<ViewToSave> again, FindViews(relation, names));
    const bool is_same = std::equal(views.begin(), views.end(), again.begin(), again.end(),
                                    [](const ViewToSave& a, const ViewToSave& b) {
                                      return a.view == b.view && a.tview == b.tview &&
                                             a.reads_altered == b.reads_altered;
                                    });
    views = std::move(again);
    if (is_same) return views;
  }
}

}  // namespace tviews::backend
