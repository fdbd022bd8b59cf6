#include "backend/tview/uses.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_class.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Ends a query over `used (class, object)`: the TVIEWs with a view whose rule is among them.
constexpr char kByRule[] =
    " WHERE EXISTS (SELECT FROM used JOIN pg_rewrite r ON r.oid = used.object"
    " AND used.class = 'pg_rewrite'::regclass"
    " WHERE r.ev_class = m.backing_view OR r.ev_class = ANY (m.nested_views))"
    " OR m.backing_view::oid IN (SELECT object FROM used WHERE class = 'pg_class'::regclass)";

struct Tables {
  std::string meta;
  std::string lineage;
};

absl::StatusOr<Tables> FindTables() {
  Tables tables;
  TVIEWS_ASSIGN_OR_RETURN(tables.meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(tables.lineage, ExtensionObject("pg_tview_lineage"));
  return tables;
}

std::string OidArray(const std::vector<Oid32>& ids) {
  return absl::StrCat("{", absl::StrJoin(ids, ","), "}");
}

constexpr char kUsedBy[] =
    " SELECT d.classid, d.objid FROM pg_depend d"
    " JOIN used ON d.refclassid = used.class AND d.refobjid = used.object"
    " WHERE used.class NOT IN ('pg_rewrite'::regclass, 'pg_class'::regclass)"
    " AND (d.classid IN ('pg_proc'::regclass,"
    " 'pg_operator'::regclass, 'pg_cast'::regclass, 'pg_opclass'::regclass,"
    " 'pg_opfamily'::regclass, 'pg_amop'::regclass, 'pg_amproc'::regclass,"
    " 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass, 'pg_rewrite'::regclass)"
    // Backing views depend on what functions call.
    " OR d.classid = 'pg_class'::regclass AND d.deptype = 'n' AND d.objsubid = 0)";

// Dependencies on what initdb has pinned are not recorded: functions of text search are found in
// the trees of the views.
constexpr char kSearch[] =
    "search (funcid) AS (SELECT '%:funcid ' || p.oid || ' %' FROM pg_proc p"
    " WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (p.prorettype IN"
    " ('tsvector'::regtype, 'tsquery'::regtype) OR p.proname ~ '^(ts_|.*_ts)'))";
constexpr char kSearches[] =
    "EXISTS (SELECT FROM pg_rewrite r JOIN search ON r.ev_action::text LIKE search.funcid"
    " WHERE r.ev_class = m.backing_view OR r.ev_class = ANY (m.nested_views))";

}  // namespace

absl::StatusOr<std::vector<RelationId>> UsersOfFunctions(const std::vector<Oid32>& functions) {
  if (functions.empty()) return std::vector<RelationId>();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          std::string("WITH RECURSIVE used (class, object) AS ("
                      " SELECT 'pg_proc'::regclass::oid, unnest($1::oid[]) UNION") +
              kUsedBy + ") SELECT m.tview::oid FROM " + tables.meta + " m" + kByRule +
              " ORDER BY 1",
          {OidArray(functions)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<Oid32>> TypesPrintedBy(const std::vector<Oid32>& functions) {
  if (functions.empty()) return std::vector<Oid32>();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          std::string("WITH RECURSIVE used (class, object) AS ("
                      " SELECT 'pg_proc'::regclass::oid, unnest($1::oid[]) UNION") +
              kUsedBy +
              ") SELECT DISTINCT c.castsource FROM used JOIN pg_cast c"
              " ON used.class = 'pg_cast'::regclass AND c.oid = used.object"
              " WHERE c.casttarget = 'json'::regtype ORDER BY 1",
          {OidArray(functions)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> UsersOfDefaultSearch() {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(std::string("WITH ") + kSearch + " SELECT m.tview::oid FROM " +
                           tables.meta +
                           " m WHERE m.options -> 'settings' ->> 'default_text_search_config'"
                           " NOT LIKE 'pg\\_catalog.%' AND " +
                           kSearches + " ORDER BY 1"));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> UsersOfObject(Oid32 object_class, Oid32 object) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          std::string("WITH RECURSIVE used (class, object) AS (SELECT $1::oid, $2::oid UNION") +
              kUsedBy + "), " + kSearch + " SELECT m.tview::oid FROM " + tables.meta + " m" +
              kByRule + " OR $1::oid::regclass::text LIKE 'pg_ts_%' AND " + kSearches +
              " ORDER BY 1",
          {std::to_string(object_class), std::to_string(object)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> UsersOfTypes(const std::vector<Oid32>& types) {
  if (types.empty()) return std::vector<RelationId>();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          std::string("WITH RECURSIVE types (type) AS ("
                      " SELECT unnest($1::oid[]) UNION SELECT made.type FROM types"
                      " CROSS JOIN LATERAL ("
                      " SELECT oid FROM pg_type WHERE types.type IN (typelem, typbasetype)"
                      " UNION ALL SELECT rngtypid FROM pg_range WHERE rngsubtype = types.type"
                      " UNION ALL SELECT rngmultitypid FROM pg_range WHERE rngtypid = types.type"
                      " UNION ALL SELECT c.reltype FROM pg_attribute a JOIN pg_class c"
                      " ON c.oid = a.attrelid WHERE a.atttypid = types.type"
                      " AND NOT a.attisdropped AND c.reltype <> 0) AS made (type)),"
                      " used (class, object) AS (SELECT 'pg_type'::regclass::oid, type FROM types"
                      " UNION") +
              kUsedBy + ") SELECT m.tview::oid FROM " + tables.meta + " m" + kByRule +
              " OR EXISTS (SELECT FROM " + tables.lineage +
              " l JOIN pg_attribute a ON a.attrelid = l.source AND NOT a.attisdropped"
              " AND (a.attnum = ANY (l.relevant) OR 0 = ANY (l.relevant))"
              " JOIN types ON types.type = a.atttypid WHERE l.tview = m.tview) ORDER BY 1",
          {OidArray(types)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> TypedTables(const std::vector<Oid32>& types) {
  if (types.empty()) return std::vector<RelationId>();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT oid FROM pg_class WHERE reloftype = ANY ($1::oid[]) ORDER BY 1",
                           {OidArray(types)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> TviewsInSchema(Oid32 schema) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                          pg::ExecuteSqlLatest("SELECT m.tview::oid FROM " + tables.meta +
                                                   " m JOIN pg_class c ON c.oid = m.tview"
                                                   " WHERE c.relnamespace = $1::oid ORDER BY 1",
                                               {std::to_string(schema)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> TviewsWithLookup(const std::string& name) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT DISTINCT tview::oid FROM " + tables.lineage +
                               " WHERE strpos(lookup, replace($1, '\"', '\"\"')) > 0 ORDER BY 1",
                           {name}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> UsersOfColumn(RelationId relation,
                                                      const std::string& column) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "WITH RECURSIVE below (relation) AS (SELECT $1::oid UNION SELECT inhrelid"
          " FROM pg_inherits JOIN below ON inhparent = relation),"
          " used (class, object) AS (SELECT d.classid, d.objid FROM below"
          " JOIN pg_attribute a ON a.attrelid = relation AND a.attname = $2 AND a.attnum > 0"
          " JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = relation"
          " AND d.refobjsubid = a.attnum)"
          " SELECT m.tview::oid FROM " +
              tables.meta + " m" + kByRule + " ORDER BY 1",
          {std::to_string(relation), column}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> DirectUsersOf(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("WITH used (class, object) AS (SELECT classid, objid FROM pg_depend"
                           " WHERE refclassid = 'pg_class'::regclass AND refobjid = $1::oid)"
                           " SELECT m.tview::oid FROM " +
                               tables.meta + " m" + kByRule +
                               " AND $1::oid NOT IN (m.tview, m.backing_view) ORDER BY 1",
                           {std::to_string(relation)}));
  return RelationIds(found);
}

absl::StatusOr<bool> RunsCodeOfUsers(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "WITH RECURSIVE read (rule) AS (SELECT oid FROM pg_rewrite WHERE ev_class = $1::oid UNION"
          " SELECT r.oid FROM read JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
          " AND d.objid = read.rule AND d.refclassid = 'pg_class'::regclass"
          " JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'"
          " JOIN pg_rewrite r ON r.ev_class = c.oid)"
          " SELECT FROM read JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
          " AND d.objid = read.rule WHERE d.refobjid >= 16384 AND d.refclassid IN"
          " ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass) LIMIT 1",
          {std::to_string(view)}));
  return found.processed > 0;
}

absl::StatusOr<std::vector<RelationId>> ReadThrough(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_view,
                          pg::CallFor([view] { return get_rel_relkind(view) == RELKIND_VIEW; }));
  if (!is_view) return std::vector<RelationId>();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("WITH RECURSIVE below (id) AS (SELECT $1::oid UNION SELECT d.refobjid"
                           " FROM below JOIN pg_class c ON c.oid = below.id AND c.relkind = 'v'"
                           " JOIN pg_rewrite r ON r.ev_class = below.id JOIN pg_depend d"
                           " ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
                           " AND d.refclassid = 'pg_class'::regclass)"
                           " SELECT id FROM below WHERE id <> $1::oid ORDER BY 1",
                           {std::to_string(view)}));
  return RelationIds(found);
}

}  // namespace tviews::backend
