#include "backend/tview/names.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/tview/facts.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/lsyscache.h>
#include <utils/varlena.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

std::string_view TablePrefix() { return pg::settings::table_prefix; }
constexpr std::string_view kViewPrefix = "v_";

// A possibly qualified name as the user wrote it.
struct WrittenName {
  std::string schema;
  std::string name;
};

absl::StatusOr<WrittenName> SplitName(const std::string& text) {
  const char* schema = nullptr;
  const char* name = nullptr;
  int count = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    List* names = NIL;
    if (!SplitIdentifierString(pstrdup(text.c_str()), '.', &names)) return;
    count = list_length(names);
    if (count >= 2) schema = static_cast<char*>(linitial(names));
    if (count >= 1) name = static_cast<char*>(llast(names));
  }));
  if (count == 0 || count > 2) {
    const bool is_query =
        absl::StartsWithIgnoreCase(text, "select ") || absl::StartsWithIgnoreCase(text, "with ");
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = "improper TVIEW name: " + text,
         .hint = absl::StrCat(
             "Write the entity, its table, or either after a schema",
             is_query ? ". The query is the second argument." : "; quote what is no plain name."),
         .sqlstate = "42602"});
  }
  return WrittenName{.schema = schema != nullptr ? schema : "", .name = name};
}

// The relation called `name`; 0 if there is none, also where the schema is missing.
absl::StatusOr<RelationId> FindRelation(const std::string& schema, const std::string& name) {
  return pg::CallFor([&]() -> RelationId {
    if (schema.empty()) return RelnameGetRelid(name.c_str());
    const Oid id = LookupExplicitNamespace(schema.c_str(), true);
    return id != InvalidOid ? get_relname_relid(name.c_str(), id) : InvalidOid;
  });
}

// The TVIEW of an entity whose table has another name than tv_<entity>.
absl::StatusOr<RelationId> FindByEntity(const std::string& schema, const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT m.tview::pg_catalog.oid FROM " + meta +
              " m JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) m.tview"
              " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
              " WHERE m.entity OPERATOR(pg_catalog.=) $1"
              " AND CASE WHEN $2 OPERATOR(pg_catalog.=) '' THEN"
              " pg_catalog.pg_table_is_visible(c.oid)"
              " ELSE n.nspname OPERATOR(pg_catalog.=) $2::pg_catalog.name END",
          {entity, schema}));
  if (found.rows.size() != 1) return RelationId{0};
  return pg::RowReader(found.rows[0]).Oid();
}

// The one of `names` that differs from `written` in a letter or two; empty if none does.
absl::StatusOr<std::string> NearestName(const std::string& written, const pg::SqlResult& names) {
  constexpr int kMostEdits = 2;
  std::string nearest;
  int fewest = std::min<int>(kMostEdits, static_cast<int>(written.size()) / 2) + 1;
  for (const pg::SqlRow& row : names.rows) {
    const std::string& name = *row[0];
    TVIEWS_ASSIGN_OR_RETURN(const int edits, pg::CallFor([&] {
                              return varstr_levenshtein_less_equal(
                                  written.data(), static_cast<int>(written.size()), name.data(),
                                  static_cast<int>(name.size()), 1, 1, 1, kMostEdits, true);
                            }));
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = name;
  }
  return nearest;
}

absl::StatusOr<std::string> HintToList(const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult names,
      pg::ExecuteSqlLatest("SELECT DISTINCT entity FROM " + meta + " ORDER BY 1 LIMIT 1000"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string nearest, NearestName(entity, names));
  const std::string list = "pg_tview_meta lists the TVIEWs of this database.";
  return nearest.empty() ? list : absl::StrCat("Perhaps \"", nearest, "\" is meant. ", list);
}

// Where a TVIEW that the search path does not lead to is.
absl::StatusOr<std::string> HintToOtherSchemas(const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT pg_catalog.string_agg(pg_catalog.quote_literal(pg_catalog.quote_ident(n.nspname)"
          " OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(m.entity)),"
          " ', ' ORDER BY n.nspname) FROM " +
              meta +
              " m JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) m.tview"
              " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
              " WHERE m.entity OPERATOR(pg_catalog.=) $1",
          {entity}));
  if (found.rows.empty() || !found.rows[0][0].has_value()) {
    return HintToList(entity);
  }
  return absl::StrCat("search_path does not lead to its schema. Write ", *found.rows[0][0], ".");
}

}  // namespace

std::string TviewName::QualifiedTable() const { return QuoteQualified(schema, table); }
std::string TviewName::QualifiedView() const { return QuoteQualified(schema, view); }

bool HasTviewPrefix(std::string_view table) {
  const std::string_view prefix = TablePrefix();
  return !prefix.empty() && table.size() > prefix.size() && table.starts_with(prefix);
}

std::string WithoutTviewPrefix(const std::string& table) {
  return HasTviewPrefix(table) ? table.substr(TablePrefix().size()) : table;
}

absl::StatusOr<TviewName> MakeTviewName(const std::string& schema, const std::string& entity) {
  TviewName name{.schema = schema,
                 .entity = entity,
                 .table = std::string(TablePrefix()) + entity,
                 .view = std::string(kViewPrefix) + entity};
  if (entity.empty()) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "entity name is empty", .sqlstate = "42602"});
  }
  if (name.table.size() >= NAMEDATALEN) {
    return pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = "TVIEW name \"" + name.table + "\" is too long",
         .detail = "Names have at most " + std::to_string(NAMEDATALEN - 1) +
                   " bytes; this one has " + std::to_string(name.table.size()) +
                   " with its prefix.",
         .hint = "Use an entity name of at most " +
                 std::to_string(NAMEDATALEN - 1 - TablePrefix().size()) + " bytes.",
         .sqlstate = "42622"});
  }
  return name;
}

absl::StatusOr<TviewName> ParseTviewName(const std::string& text) {
  TVIEWS_ASSIGN_OR_RETURN(const WrittenName written, SplitName(text));
  return MakeTviewName(written.schema, WithoutTviewPrefix(written.name));
}

absl::Status ResolveCreationSchema(TviewName* name) {
  TVIEWS_RETURN_IF_ERROR(pg::CheckVersion());
  const char* schema = nullptr;
  bool is_temporary = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    char* const given = name->schema.empty() ? nullptr : pstrdup(name->schema.c_str());
    RangeVar* const range = makeRangeVar(given, pstrdup(name->table.c_str()), -1);
    const Oid id = RangeVarGetCreationNamespace(range);
    // Here, because sources are locked before anything is created.
    if (!pg::compat::MayCreateIn(id, GetUserId())) {
      aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SCHEMA, get_namespace_name(id));
    }
    schema = get_namespace_name(id);
    is_temporary = isAnyTempNamespace(id);
  }));
  if (is_temporary) {
    return pg::MakeError(absl::StatusCode::kUnimplemented,
                         {.message = "a TVIEW cannot be temporary",
                          .detail = "Refreshes run in a process that sees no temporary objects of "
                                    "a session.",
                          .hint = "Name a permanent schema, or let search_path begin with one."});
  }
  if (schema != nullptr) name->schema = schema;
  return absl::OkStatus();
}

namespace {

// Where a TVIEW was meant: the one whose view or source was named, if there is one.
absl::StatusOr<std::string> HintForOrdinary(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId own, pg::TviewOfBackingView(relation));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> meant, ReadersOf(relation));
  if (own != 0) meant = {own};
  if (meant.empty()) {
    return std::string(
        "pg_tviews_convert_table() makes a TVIEW of a table that was created before "
        "the extension, or without it.");
  }
  std::vector<std::string> names;
  for (const RelationId tview : meant) {
    TVIEWS_ASSIGN_OR_RETURN(names.emplace_back(), RelationDisplayName(tview));
  }
  std::sort(names.begin(), names.end());
  return absl::StrCat(own != 0 ? "It is the backing view of " : "It is a source of ",
                      absl::StrJoin(names, ", "), ".");
}

}  // namespace

absl::StatusOr<RelationId> FindTview(const std::string& text) {
  TVIEWS_RETURN_IF_ERROR(pg::CheckVersion());
  TVIEWS_ASSIGN_OR_RETURN(const WrittenName written, SplitName(text));
  RelationId ordinary = 0;
  for (const std::string& table :
       {std::string(TablePrefix()) + WithoutTviewPrefix(written.name), written.name}) {
    TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, FindRelation(written.schema, table));
    if (relation == 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
    if (is_tview) return relation;
    if (ordinary == 0) ordinary = relation;
  }
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation,
                          FindByEntity(written.schema, WithoutTviewPrefix(written.name)));
  if (relation != 0) return relation;
  pg::ErrorText error = {.message = "TVIEW \"" + text + "\" does not exist", .sqlstate = "42P01"};
  TVIEWS_ASSIGN_OR_RETURN(error.hint, HintToOtherSchemas(WithoutTviewPrefix(written.name)));
  if (ordinary != 0) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(ordinary));
    error.detail = "Relation " + name + " is no TVIEW.";
    TVIEWS_ASSIGN_OR_RETURN(error.hint, HintForOrdinary(ordinary));
  }
  return pg::MakeError(absl::StatusCode::kNotFound, error);
}

absl::StatusOr<std::string> QualifiedRelationName(RelationId relation) {
  const char* schema = nullptr;
  const char* name = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    name = get_rel_name(relation);
    if (name != nullptr) schema = get_namespace_name(get_rel_namespace(relation));
  }));
  if (schema == nullptr) {
    return pg::MakeError(absl::StatusCode::kNotFound,
                         {.message = "relation " + std::to_string(relation) + " does not exist",
                          .sqlstate = "42P01"});
  }
  return QuoteQualified(schema, name);
}

absl::StatusOr<std::string> RelationDisplayName(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(
      const char* name, pg::CallFor([&] {
        return DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(relation)));
      }));
  return std::string(name);
}

absl::StatusOr<std::string> ExtensionObject(const std::string& name) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string schema, pg::ExtensionSchemaName());
  return QuoteQualified(schema, name);
}

}  // namespace tviews::backend
