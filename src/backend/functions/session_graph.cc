#include "backend/functions/session_graph.h"

#include <vector>

#include "backend/tview/names.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/graph_loader.h"
#include "shared/status_macros.h"

namespace tviews::backend {

absl::StatusOr<DependencyGraph> LoadSessionGraph() {
  // Its statements rely on a safe search_path.
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  return pg::LoadGraph();
}

absl::StatusOr<RelationNames> NamesOf(const DependencyGraph& graph) {
  RelationNames names;
  for (const TviewDefinition& tview : graph.order()) {
    std::vector<RelationId> relations = {tview.relation};
    for (const SourceLineage& source : tview.sources) relations.push_back(source.source);
    for (const RelationId relation : relations) {
      if (names.contains(relation)) continue;
      TVIEWS_ASSIGN_OR_RETURN(names[relation], RelationDisplayName(relation));
    }
  }
  return names;
}

}  // namespace tviews::backend
