// How far a change of a TVIEW's sources reaches.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail
//
// The TVIEW itself has depth 0. Others that read one of its sources have depth 1, and so has a
// TVIEW that reads it; a TVIEW that reads one of depth n has depth n + 1, unless a shorter way
// leads there.

#ifndef PG_TVIEWS_SHARED_CASCADE_PATH_H_
#define PG_TVIEWS_SHARED_CASCADE_PATH_H_

#include <vector>

#include "shared/dependency_graph.h"
#include "shared/types.h"

namespace tviews {

enum class DependencyType {
  kSelf,    // the TVIEW that was asked for
  kSource,  // reads a source of it
  kTview,   // reads a TVIEW of the depth below
};

// "self", "source", "tview".
const char* DependencyTypeName(DependencyType type);

struct CascadeStep {
  const TviewDefinition* tview = nullptr;
  int depth = 0;
  DependencyType type = DependencyType::kSelf;
};

// By depth, within one in refresh order. Empty if `tview` is not in the graph. The graph must
// outlive the result.
std::vector<CascadeStep> FindCascadePath(const DependencyGraph& graph, RelationId tview);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_CASCADE_PATH_H_
