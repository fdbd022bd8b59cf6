// The partitions and inheritance children of sources, and whether they changed between the batch's
// snapshot and now.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status; 40001 if they did
//
// ATTACH PARTITION takes no lock on the parent that a reader would meet, so neither the batch's
// locks nor its invalidation count see it in time (ATTACKS A1). The trees are therefore compared
// just before the commit: under the snapshot, and as of now.

#ifndef PG_TVIEWS_WORKER_BATCH_INHERITANCE_CHECK_H_
#define PG_TVIEWS_WORKER_BATCH_INHERITANCE_CHECK_H_

#include <vector>

#include "absl/status/status.h"
#include "shared/dependency_graph.h"

namespace tviews::worker {

// Appends the descendants of `root` as of now. A batch reads their rows, so it locks and watches
// them as it does the root.
absl::Status AppendDescendants(RelationId root, std::vector<RelationId>* relations);

// For the sources of the TVIEWs of graph.order() that `reachable` marks. REQUIRES: the batch's
// snapshot is active.
absl::Status CheckInheritance(const DependencyGraph& graph, const std::vector<bool>& reachable);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_INHERITANCE_CHECK_H_
