// The dependency graph, read from pg_tview_meta and pg_tview_lineage.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_TABLES_GRAPH_LOADER_H_
#define PG_TVIEWS_SHARED_PG_TABLES_GRAPH_LOADER_H_

#include <string>

#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/types.h"

namespace tviews::pg {

// Every TVIEW of the database, as the active snapshot sees it.
absl::StatusOr<DependencyGraph> LoadGraph();

// The equality under which keys of the type are unique, as an OPERATOR(...): that of the type's
// operator class, wherever it is.
absl::StatusOr<std::string> KeyEquality(TypeId type);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_GRAPH_LOADER_H_
