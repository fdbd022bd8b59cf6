// Source tables -> TVIEWs -> TVIEWs: who reads whom, and in which order to refresh.
//
// Layer:   core
// Sharing: private to one process
// Errors:  Build returns FailedPrecondition for a cycle, with its path in the message, and
//          InvalidArgument if a TVIEW is given twice
//
// (1) order() lists every TVIEW after all TVIEWs that it reads; ties by relation id.

#ifndef PG_TVIEWS_SHARED_DEPENDENCY_GRAPH_H_
#define PG_TVIEWS_SHARED_DEPENDENCY_GRAPH_H_

#include <cstddef>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "shared/tview_definition.h"
#include "shared/types.h"

namespace tviews {

class DependencyGraph {
 public:
  static absl::StatusOr<DependencyGraph> Build(std::vector<TviewDefinition> tviews);

  DependencyGraph() = default;

  // In refresh order.
  const std::vector<TviewDefinition>& order() const { return order_; }
  // Null if `relation` is no TVIEW of the graph.
  const TviewDefinition* Find(RelationId relation) const;
  // Positions in order() of the TVIEWs that read `source` directly, ascending.
  const std::vector<std::size_t>& Readers(RelationId source) const;
  // Positions in order() of the TVIEWs that a change of `source` can reach, through other TVIEWs
  // too, ascending.
  std::vector<std::size_t> Reachable(RelationId source) const;

 private:
  // Appends a TVIEW to the order.
  void Place(TviewDefinition tview);

  std::vector<TviewDefinition> order_;
  absl::flat_hash_map<RelationId, std::size_t> positions_;
  absl::flat_hash_map<RelationId, std::vector<std::size_t>> readers_;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_DEPENDENCY_GRAPH_H_
