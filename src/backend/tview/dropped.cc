#include "backend/tview/dropped.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backend/tview/create.h"
#include "backend/tview/function_reads.h"
#include "backend/tview/names.h"
#include "backend/tview/stored_lineage.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/index.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Remains {
  std::string query;
  std::string view;                           // what hangs on the view, as a JSON array of steps
  std::map<RelationId, std::string> indexes;  // steps, without brackets
  std::string table;                          // a JSON object
};

std::map<RelationId, Remains>& All() {
  static NoDestructor<std::map<RelationId, Remains>> remains;
  return *remains;
}

// Steps that give relation $1 its comments and grants: statements, each with the role that it
// needs, or null.
constexpr char kSteps[] =
    "(SELECT coalesce(jsonb_agg(jsonb_build_object('role', s.role, 'statement', s.statement)"
    " ORDER BY s.place, s.statement), '[]') FROM ("
    " SELECT 1, NULL::name, format('COMMENT ON %s %s IS %L',"
    " CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, n.name, d.description)"
    " FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid"
    " AND d.objsubid = 0"
    " UNION ALL SELECT 2, NULL, format('COMMENT ON COLUMN %s.%I IS %L', n.name, a.attname,"
    " d.description) FROM pg_description d JOIN pg_attribute a ON a.attrelid = c.oid"
    " AND a.attnum = d.objsubid WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid"
    " AND d.objsubid > 0"
    " UNION ALL SELECT 3, r.rolname, format('GRANT %s ON TABLE %s TO %s%s', g.privilege_type,"
    " n.name, coalesce(quote_ident(r.rolname), 'PUBLIC'),"
    " CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
    " FROM aclexplode(c.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee"
    " WHERE g.grantee <> c.relowner AND (g.grantee = 0 OR r.oid IS NOT NULL)"
    " UNION ALL SELECT 4, r.rolname, format('GRANT %s (%I) ON TABLE %s TO %s%s',"
    " g.privilege_type, a.attname, n.name, coalesce(quote_ident(r.rolname), 'PUBLIC'),"
    " CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
    " FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) g"
    " LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE a.attrelid = c.oid"
    " AND NOT a.attisdropped AND (g.grantee = 0 OR r.oid IS NOT NULL)"
    " UNION ALL SELECT 5, NULL, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s',"
    " n.name, a.attname, a.attstattarget) FROM pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0 AND c.relkind = 'r'"
    ") AS s (place, role, statement))";

constexpr char kOfRelation[] =
    " FROM pg_class c CROSS JOIN LATERAL (SELECT format('%s.%I', c.relnamespace::regnamespace,"
    " c.relname)) AS n (name) WHERE c.oid = $1::oid";

// One value about `relation`; empty if there is none.
absl::StatusOr<std::string> Ask(const std::string& query, RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                          pg::ExecuteSqlLatest(query, {std::to_string(relation)}));
  return found.rows.empty() ? std::string() : found.rows[0][0].value_or("");
}

// The latest drop of an entity, or of a table, that can be undone.
absl::StatusOr<std::string> FindDrop(const std::string& text) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewName name, ParseTviewName(text));
  TVIEWS_ASSIGN_OR_RETURN(const std::string log, pg::QualifiedTable(pg::CatalogTable::kAuditLog));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT log_id FROM " + log +
                               " WHERE operation = 'DROP' AND entity = $1 AND details ? 'restore'"
                               " AND $2 IN ('', details -> 'restore' ->> 'schema')"
                               " ORDER BY log_id DESC LIMIT 1",
                           {name.entity, name.schema}));
  if (!found.rows.empty()) return *found.rows[0][0];
  return pg::MakeError(absl::StatusCode::kNotFound,
                       {.message = "no TVIEW \"" + text + "\" was dropped",
                        .hint = "pg_tview_audit_log lists what was dropped.",
                        .sqlstate = "42P01"});
}

struct Dropped {
  TviewRequest request;
  std::string owner;
  std::vector<std::string> statements;
};

absl::StatusOr<Dropped> ReadDrop(const std::string& log_id) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string log, pg::QualifiedTable(pg::CatalogTable::kAuditLog));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  const std::string of_drop =
      " FROM (SELECT entity, details -> 'restore' AS r FROM " + log + " WHERE log_id = $1::bigint)";
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT d.entity, r ->> 'schema', r ->> 'name', r ->> 'view',"
          " r ->> 'query', r ->> 'key', regexp_replace(r ->> 'options',"
          " '^\\{|\\}$', '', 'g'), r ->> 'access_method', r ->> 'tablespace', r ->> 'owner'" +
              of_drop + " AS d",
          {log_id}));
  pg::RowReader column(found.rows.at(0));
  Dropped dropped;
  TviewRequest& request = dropped.request;
  request.name.entity = column.TextOrNothing();
  request.name.schema = column.TextOrNothing();
  request.name.table = column.TextOrNothing();
  request.name.view = column.TextOrNothing();
  request.query = column.TextOrNothing();
  request.key = column.TextOrNothing();
  TVIEWS_ASSIGN_OR_RETURN(request.options, WithIds(column.TextOrNothing()));
  request.storage.access_method = column.TextOrNothing();
  request.storage.tablespace = column.TextOrNothing();
  dropped.owner = column.TextOrNothing();
  TVIEWS_RETURN_IF_ERROR(column.End());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult options,
      pg::ExecuteSqlLatest("SELECT format('%s = %L', split_part(o, '=', 1), split_part(o, '=', 2)),"
                           " o LIKE 'fillfactor=%'" +
                               of_drop + " AS d, jsonb_array_elements_text(r -> 'storage') AS o",
                           {log_id}));
  for (const pg::SqlRow& option : options.rows) {
    request.storage.options.push_back(*option[0]);
    request.storage.has_fillfactor |= option[1] == "t";
  }
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult steps,
      pg::ExecuteSqlLatest("SELECT s ->> 'statement'" + of_drop +
                               " AS d, jsonb_array_elements(r -> 'steps') WITH ORDINALITY AS"
                               " steps (s, place) WHERE s ->> 'role' IS NULL OR EXISTS (SELECT FROM"
                               " pg_roles WHERE rolname = s ->> 'role') ORDER BY place",
                           {log_id}));
  for (const pg::SqlRow& step : steps.rows) dropped.statements.push_back(*step[0]);
  return dropped;
}

// The role that owned what was dropped: as whom everything is made again. Definitions of others
// are no business of the caller's.
absl::StatusOr<RoleId> FindOwner(const Dropped& dropped) {
  const std::string& table = dropped.request.name.table;
  Oid owner = InvalidOid;
  bool may_restore = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    owner = get_role_oid(dropped.owner.c_str(), true);
    may_restore = OidIsValid(owner) ? has_privs_of_role(GetUserId(), owner) : superuser();
  }));
  if (!may_restore) {
    return pg::MakeError(absl::StatusCode::kPermissionDenied,
                         {.message = "must be owner of " + table});
  }
  if (OidIsValid(owner)) return owner;
  return pg::MakeError(
      absl::StatusCode::kNotFound,
      {.message = "role \"" + dropped.owner + "\", which owned " + table + ", does not exist",
       .detail = "The query and the indexes of a TVIEW are run as its owner.",
       .hint = "Create the role, or create the TVIEW as its new owner by the definition in "
               "pg_tview_audit_log.",
       .sqlstate = "42704"});
}

}  // namespace

absl::Status NoteRuleDrop(Oid32 rule) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(
      const std::string view,
      Ask("SELECT r.ev_class FROM pg_rewrite r WHERE r.oid = $1::oid AND r.ev_type = '1'", rule));
  RelationId relation = 0;
  if (!absl::SimpleAtoi(view, &relation)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId tview, pg::TviewOfBackingView(relation));
  if (tview == 0) return absl::OkStatus();
  Remains& remains = All()[tview];
  TVIEWS_ASSIGN_OR_RETURN(remains.query, Ask("SELECT pg_get_viewdef($1::oid)", relation));
  TVIEWS_ASSIGN_OR_RETURN(remains.view,
                          Ask(absl::StrCat("SELECT ", kSteps, kOfRelation), relation));
  return absl::OkStatus();
}

absl::Status NoteIndexDrop(RelationId index) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, pg::CallFor([index]() -> RelationId {
                            return IndexGetRelation(index, true);
                          }));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(table));
  if (!is_tview) return absl::OkStatus();
  // What the index has rejected can be stored without it.
  TVIEWS_ASSIGN_OR_RETURN(const std::string letters,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  TVIEWS_ASSIGN_OR_RETURN(
      const std::string rejected,
      Ask("SELECT tview::oid::text FROM " + letters + " WHERE tview = $1::oid LIMIT 1", table));
  if (!rejected.empty()) TVIEWS_RETURN_IF_ERROR(NoteTview(table));
  // Creation makes some by itself, under the names that the server gives: this one replaces it.
  TVIEWS_ASSIGN_OR_RETURN(
      const std::string steps,
      Ask("SELECT concat_ws(', ', jsonb_build_object('role', NULL, 'statement', format('DROP INDEX"
          " IF EXISTS %s.%I', c.relnamespace::regnamespace, c.relname)), jsonb_build_object('role',"
          " NULL, 'statement', pg_get_indexdef(c.oid)), (SELECT jsonb_build_object('role', NULL,"
          " 'statement', format('COMMENT ON INDEX %s.%I IS %L', c.relnamespace::regnamespace,"
          " c.relname, obj_description(c.oid, 'pg_class')))"
          " WHERE obj_description(c.oid, 'pg_class') IS NOT NULL))"
          " FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
          " WHERE c.oid = $1::oid AND NOT i.indisprimary",
          index));
  if (steps.empty()) return absl::OkStatus();
  All()[table].indexes[index] = steps;
  return absl::OkStatus();
}

absl::Status NoteTableDrop(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      All()[tview].table,
      Ask(absl::StrCat(
              "SELECT jsonb_build_object('schema', (SELECT nspname FROM pg_namespace"
              " WHERE oid = c.relnamespace),"
              " 'name', c.relname, 'owner', pg_get_userbyid(c.relowner),"
              " 'key', CASE cardinality(m.key_columns) WHEN 1 THEN m.key_column::text ELSE"
              " (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.place) FROM"
              " unnest(m.key_columns) WITH ORDINALITY AS k (name, place)) END, 'options', ",
              WithNames("(m.options - 'undetermined' - 'settings' - 'deadlines')"),
              ","
              " 'view', 'v_' || m.entity, 'storage', to_jsonb(coalesce(c.reloptions, '{}')),"
              " 'access_method', (SELECT amname FROM pg_am WHERE oid = c.relam),"
              " 'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid ="
              " c.reltablespace), 'steps', ",
              kSteps, ") FROM ", meta, " m JOIN pg_class c ON c.oid = m.tview",
              " CROSS JOIN LATERAL (SELECT format('%s.%I', c.relnamespace::regnamespace,"
              " c.relname)) AS n (name) WHERE c.oid = $1::oid"),
          tview));
  return absl::OkStatus();
}

absl::StatusOr<std::string> TakeRemains(RelationId tview) {
  const auto place = All().find(tview);
  if (place == All().end()) return std::string();
  const Remains remains = std::exchange(place->second, {});
  All().erase(place);
  if (remains.table.empty() || remains.query.empty()) return std::string();
  std::string indexes;
  for (const auto& [index, steps] : remains.indexes) {
    absl::StrAppend(&indexes, indexes.empty() ? "" : ", ", steps);
  }
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult all,
      pg::ExecuteSqlLatest("SELECT ($1::jsonb || pg_catalog.jsonb_build_object('query', $2::text,"
                           " 'steps', $3::jsonb || ($1::jsonb -> 'steps') || $4::jsonb))::text",
                           {remains.table, remains.query, absl::StrCat("[", indexes, "]"),
                            remains.view.empty() ? "[]" : remains.view}));
  return all.rows.at(0)[0].value_or("");
}

void ForgetRemains() { All().clear(); }

absl::StatusOr<std::string> RestoreDropped(const std::string& text, const std::string& query) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string log_id, FindDrop(text));
  TVIEWS_ASSIGN_OR_RETURN(Dropped dropped, ReadDrop(log_id));
  TVIEWS_ASSIGN_OR_RETURN(const RoleId owner, FindOwner(dropped));
  if (!query.empty()) dropped.request.query = query;
  // What others have defined runs in no session but theirs.
  dropped.request.with_no_data = owner != GetSessionUserId();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::ForDdlOf(owner));
  TVIEWS_ASSIGN_OR_RETURN(const CreatedTview created, CreateTview(std::move(dropped.request)));
  for (const std::string& statement : dropped.statements) {
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand(statement));
  }
  return created.name;
}

}  // namespace tviews::backend
