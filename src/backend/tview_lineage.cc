#include "backend/tview_lineage.h"

#include <algorithm>

#include "shared/pg/catalog.h"
#include "shared/pg/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <access/table.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <rewrite/rewriteHandler.h>
#include <rewrite/rewriteSupport.h>
#include <utils/rel.h>
#include "shared/pg/postgres_end.h"

namespace tviews::backend {
namespace {

// Relations that a query reads, views apart. Plain data.
struct Relations {
  List* sources;
  List* views;
};

bool Walk(Node* node, Relations* relations);

void AddRelation(const RangeTblEntry* entry, Relations* relations) {
  if (entry->relkind != RELKIND_VIEW) {
    relations->sources = list_append_unique_oid(relations->sources, entry->relid);
    return;
  }
  if (list_member_oid(relations->views, entry->relid)) return;
  relations->views = lappend_oid(relations->views, entry->relid);
  Relation view = table_open(entry->relid, AccessShareLock);
  Walk(reinterpret_cast<Node*>(get_view_query(view)), relations);
  table_close(view, NoLock);
}

bool WalkRaw(Node* node, void* relations) { return Walk(node, static_cast<Relations*>(relations)); }

bool Walk(Node* node, Relations* relations) {
  if (node == nullptr) return false;
  if (IsA(node, RangeTblEntry)) {
    const RangeTblEntry* const entry = reinterpret_cast<RangeTblEntry*>(node);
    if (entry->rtekind == RTE_RELATION) AddRelation(entry, relations);
    return false;
  }
  if (IsA(node, Query)) {
    return query_tree_walker(reinterpret_cast<Query*>(node),
                             reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(WalkRaw)),
                             relations, QTW_EXAMINE_RTES_BEFORE);
  }
  return expression_tree_walker(
      node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(WalkRaw)), relations);
}

}  // namespace

absl::StatusOr<TviewLineage> DeriveLineage(Query* tree, AttributeNumber) {
  Relations relations{};
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { Walk(reinterpret_cast<Node*>(tree), &relations); }));
  TviewLineage lineage;
  for (int i = 0; i < list_length(relations.sources); ++i) {
    SourceLineage source;
    source.source = list_nth_oid(relations.sources, i);
    TVIEWS_ASSIGN_OR_RETURN(source.source_is_tview, pg::IsTview(source.source));
    source.relevant = {0};
    LineagePath path;
    path.description = "the query is not analysed";
    source.paths.push_back(path);
    lineage.sources.push_back(source);
  }
  for (int i = 0; i < list_length(relations.views); ++i) {
    lineage.nested_views.push_back(list_nth_oid(relations.views, i));
  }
  return lineage;
}

std::vector<RelationId> SourcesOf(const TviewLineage& lineage) {
  std::vector<RelationId> sources;
  for (const SourceLineage& source : lineage.sources) sources.push_back(source.source);
  return sources;
}

}  // namespace tviews::backend
