#include "shared/dependency_graph.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "shared/no_destructor.h"

namespace tviews {
namespace {

// The TVIEWs by relation id while they are being ordered; positions are into `tviews`.
struct Unordered {
  std::vector<TviewDefinition> tviews;
  // For each TVIEW: the TVIEWs that it reads, and those that read it; ascending, distinct.
  std::vector<std::vector<std::size_t>> reads;
  std::vector<std::vector<std::size_t>> read_by;
};

absl::StatusOr<Unordered> Connect(std::vector<TviewDefinition> tviews) {
  std::sort(tviews.begin(), tviews.end(),
            [](const auto& a, const auto& b) { return a.relation < b.relation; });
  absl::flat_hash_map<RelationId, std::size_t> positions;
  for (std::size_t i = 0; i < tviews.size(); ++i) {
    if (!positions.emplace(tviews[i].relation, i).second) {
      return absl::InvalidArgumentError("TVIEW " + tviews[i].qualified_name + " appears twice");
    }
  }
  Unordered graph;
  graph.reads.resize(tviews.size());
  graph.read_by.resize(tviews.size());
  for (std::size_t i = 0; i < tviews.size(); ++i) {
    std::vector<std::size_t>& reads = graph.reads[i];
    for (const SourceLineage& source : tviews[i].sources) {
      const auto found = positions.find(source.source);
      if (found != positions.end()) reads.push_back(found->second);
    }
    std::sort(reads.begin(), reads.end());
    reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
    for (const std::size_t read : reads) graph.read_by[read].push_back(i);
  }
  graph.tviews = std::move(tviews);
  return graph;
}

// "tv_a reads tv_b reads tv_a". REQUIRES: every unplaced TVIEW reads an unplaced one.
std::string DescribeCycle(const Unordered& graph, const std::vector<bool>& is_placed) {
  // Going from TVIEW to TVIEW must come back to one that was visited; the cycle starts there.
  std::vector<std::size_t> path;
  absl::flat_hash_map<std::size_t, std::size_t> visited;  // position -> index in path
  std::size_t at = std::find(is_placed.begin(), is_placed.end(), false) - is_placed.begin();
  while (visited.emplace(at, path.size()).second) {
    path.push_back(at);
    at = *std::find_if(graph.reads[at].begin(), graph.reads[at].end(),
                       [&](std::size_t read) { return !is_placed[read]; });
  }
  std::string text;
  for (std::size_t i = visited[at]; i < path.size(); ++i) {
    text += graph.tviews[path[i]].qualified_name + " reads ";
  }
  return text + graph.tviews[at].qualified_name;
}

}  // namespace

absl::StatusOr<DependencyGraph> DependencyGraph::Build(std::vector<TviewDefinition> tviews) {
  absl::StatusOr<Unordered> connected = Connect(std::move(tviews));
  if (!connected.ok()) return connected.status();
  Unordered& graph = *connected;

  // A TVIEW is ready once all TVIEWs that it reads are placed; the lowest relation id goes first.
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  std::vector<std::size_t> waits_for;
  for (std::size_t i = 0; i < graph.reads.size(); ++i) {
    waits_for.push_back(graph.reads[i].size());
    if (waits_for[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  std::vector<bool> is_placed(graph.tviews.size());
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    is_placed[next] = true;
    for (const std::size_t reader : graph.read_by[next]) {
      if (--waits_for[reader] == 0) ready.push(reader);
    }
  }
  if (order.size() != graph.tviews.size()) {
    return absl::FailedPreconditionError("TVIEWs read each other in a cycle: " +
                                         DescribeCycle(graph, is_placed));
  }

  DependencyGraph built;
  for (const std::size_t position : order) built.Place(std::move(graph.tviews[position]));
  return built;
}

void DependencyGraph::Place(TviewDefinition tview) {
  const std::size_t position = order_.size();
  positions_.emplace(tview.relation, position);
  for (const SourceLineage& source : tview.sources) {
    std::vector<std::size_t>& readers = readers_[source.source];
    if (readers.empty() || readers.back() != position) readers.push_back(position);
  }
  order_.push_back(std::move(tview));
}

const TviewDefinition* DependencyGraph::Find(RelationId relation) const {
  const auto found = positions_.find(relation);
  return found == positions_.end() ? nullptr : &order_[found->second];
}

const std::vector<std::size_t>& DependencyGraph::Readers(RelationId source) const {
  static NoDestructor<std::vector<std::size_t>> nobody;
  const auto found = readers_.find(source);
  return found == readers_.end() ? *nobody : found->second;
}

std::vector<std::size_t> DependencyGraph::Reachable(RelationId source) const {
  std::vector<bool> is_reached(order_.size());
  for (const std::size_t reader : Readers(source)) is_reached[reader] = true;
  // Readers stand after what they read, so one pass reaches all of them.
  std::vector<std::size_t> reached;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    if (!is_reached[i]) continue;
    reached.push_back(i);
    for (const std::size_t reader : Readers(order_[i].relation)) is_reached[reader] = true;
  }
  return reached;
}

}  // namespace tviews
