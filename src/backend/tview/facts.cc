#include "backend/tview/facts.h"

#include <sstream>
#include <utility>

#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/status_macros.h"

namespace tviews::backend {
namespace {

// WITH: the relation $1, its ancestors and its inheritors.
constexpr char kFamily[] =
    "WITH RECURSIVE above (relation) AS (SELECT $1::oid UNION SELECT inhparent"
    " FROM pg_inherits JOIN above ON inhrelid = relation),"
    " below (relation) AS (SELECT $1::oid UNION SELECT inhrelid"
    " FROM pg_inherits JOIN below ON inhparent = relation),"
    " family AS (TABLE above UNION TABLE below)";

// `edges` returns a relation's name, its id and the id of something that it reads, or null.
absl::StatusOr<std::vector<TviewDefinition>> ReadGraph(const std::string& edges) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found, pg::ExecuteSqlLatest(edges + " ORDER BY 2"));
  std::vector<TviewDefinition> nodes;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    std::string name = column.Text();
    const RelationId relation = column.Oid();
    const std::optional<RelationId> read = column.OptionalNumber<RelationId>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (nodes.empty() || nodes.back().relation != relation) {
      nodes.emplace_back();
      nodes.back().relation = relation;
      nodes.back().qualified_name = std::move(name);
    }
    if (!read.has_value()) continue;
    SourceLineage source;
    source.source = *read;
    nodes.back().sources.push_back(std::move(source));
  }
  return nodes;
}

}  // namespace

std::vector<RelationId> RelationIds(const pg::SqlResult& result) {
  std::vector<RelationId> ids;
  for (const pg::SqlRow& row : result.rows) ids.push_back(pg::RowReader(row).Oid());
  return ids;
}

absl::StatusOr<TviewFacts> ReadTviewFacts(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT m.backing_view::oid, m.entity, c.relowner,"
                           " array_to_string(m.dependencies, ' '),"
                           " left(right(m.options::text, -1), -1), " +
                               pg::SettingsColumns("m.options") + " FROM " + meta +
                               " m JOIN pg_class c ON c.oid = m.tview WHERE m.tview = $1::oid",
                           {std::to_string(tview)}));
  if (found.rows.empty()) {
    return pg::MakeError(absl::StatusCode::kNotFound,
                         {.message = "relation " + std::to_string(tview) + " is not a TVIEW"});
  }
  pg::RowReader column(found.rows.front());
  TviewFacts facts;
  facts.relation = tview;
  facts.backing_view = column.Oid();
  facts.entity = column.Text();
  facts.owner = column.Oid();
  facts.dependencies = column.Numbers<RelationId>();
  facts.options = column.Text();
  facts.settings = pg::ReadSettings(&column);
  TVIEWS_RETURN_IF_ERROR(column.End());
  TVIEWS_ASSIGN_OR_RETURN(facts.key_columns, KeyColumnsOf(tview));
  TVIEWS_ASSIGN_OR_RETURN(facts.table, QualifiedRelationName(tview));
  TVIEWS_ASSIGN_OR_RETURN(facts.view, QualifiedRelationName(facts.backing_view));
  return facts;
}

absl::StatusOr<std::vector<std::string>> KeyColumnsOf(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT k.name FROM " + meta +
                               " m CROSS JOIN unnest(m.key_columns) WITH ORDINALITY AS k (name,"
                               " place) WHERE m.tview = $1::oid ORDER BY k.place",
                           {std::to_string(tview)}));
  std::vector<std::string> names;
  for (const pg::SqlRow& row : found.rows) names.push_back(pg::RowReader(row).Text());
  return names;
}

absl::StatusOr<std::vector<TviewDefinition>> ReadDependencies() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  return ReadGraph("SELECT m.tview, m.tview::oid, d.source FROM " + meta +
                   " m LEFT JOIN unnest(m.dependencies) AS d (source) ON true");
}

absl::StatusOr<std::vector<TviewDefinition>> ReadDependenciesThroughViews() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  return ReadGraph(
      "SELECT DISTINCT n.node::regclass, n.node::oid, d.refobjid FROM (SELECT tview::oid, "
      "backing_view::oid FROM " +
      meta + " UNION SELECT v::oid, v::oid FROM " + meta +
      ", unnest(nested_views) AS v) AS n (node, view)"
      " JOIN pg_rewrite r ON r.ev_class = n.view"
      " JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
      " AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> n.view");
}

absl::StatusOr<std::vector<RelationId>> SourceTables(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("WITH RECURSIVE read (source) AS (SELECT source::oid FROM " + lineage +
                               " WHERE tview = $1::oid UNION SELECT l.source::oid FROM " + lineage +
                               " l JOIN read ON l.tview = read.source)"
                               " SELECT source FROM read WHERE NOT EXISTS"
                               " (SELECT FROM " +
                               lineage + " l WHERE l.tview = read.source) ORDER BY 1",
                           {std::to_string(tview)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> NestedViews(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT unnest(nested_views) FROM " + table + " WHERE tview = $1::oid",
                           {std::to_string(tview)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> ReadersOf(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(std::string(kFamily) + " SELECT tview::oid FROM " + table +
                               " WHERE backing_view = $1::oid OR $1::oid = ANY (nested_views) OR"
                               " EXISTS (SELECT FROM family WHERE relation = ANY (dependencies))"
                               " ORDER BY 1",
                           {std::to_string(relation)}));
  return RelationIds(found);
}

absl::StatusOr<std::vector<RelationId>> ReadersOfWholeRows(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(std::string(kFamily) + " SELECT DISTINCT tview::oid FROM " + table +
                               " JOIN family ON source = relation WHERE 0 = ANY (relevant)"
                               " ORDER BY 1",
                           {std::to_string(relation)}));
  return RelationIds(found);
}

}  // namespace tviews::backend
