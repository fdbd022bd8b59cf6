// The dependency graph as a session sees it, and names for its relations.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_SESSION_GRAPH_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_SESSION_GRAPH_H_

#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/graph_text.h"

namespace tviews::backend {

// Every TVIEW of the database, under the active snapshot.
absl::StatusOr<DependencyGraph> LoadSessionGraph();

// What to call each source and TVIEW: as the server would print it.
absl::StatusOr<RelationNames> NamesOf(const DependencyGraph& graph);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_SESSION_GRAPH_H_
