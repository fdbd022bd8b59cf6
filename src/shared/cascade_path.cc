#include "shared/cascade_path.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace tviews {
namespace {

// The shortest way from something reached to `tview`; depth -1 if there is none. REQUIRES: every
// TVIEW that `tview` reads has been looked at.
CascadeStep StepTo(const TviewDefinition& tview, const absl::flat_hash_set<RelationId>& sources,
                   const absl::flat_hash_map<RelationId, int>& depths) {
  CascadeStep step{.tview = &tview, .depth = -1, .type = DependencyType::kSource};
  for (const SourceLineage& source : tview.sources) {
    const auto reached = depths.find(source.source);
    const bool is_shorter =
        reached != depths.end() && (step.depth < 0 || reached->second + 1 <= step.depth);
    if (is_shorter) {
      step.depth = reached->second + 1;
      step.type = DependencyType::kTview;
    } else if (sources.contains(source.source) && (step.depth < 0 || step.depth > 1)) {
      step.depth = 1;
      step.type = DependencyType::kSource;
    }
  }
  return step;
}

}  // namespace

const char* DependencyTypeName(DependencyType type) {
  switch (type) {
    case DependencyType::kSelf:
      return "self";
    case DependencyType::kSource:
      return "source";
    case DependencyType::kTview:
      break;
  }
  return "tview";
}

std::vector<CascadeStep> FindCascadePath(const DependencyGraph& graph, RelationId tview) {
  const TviewDefinition* const start = graph.Find(tview);
  if (start == nullptr) return {};
  absl::flat_hash_set<RelationId> sources;
  for (const SourceLineage& source : start->sources) sources.insert(source.source);

  std::vector<CascadeStep> steps = {{.tview = start, .depth = 0, .type = DependencyType::kSelf}};
  absl::flat_hash_map<RelationId, int> depths = {{tview, 0}};
  for (const TviewDefinition& reader : graph.order()) {
    if (reader.relation == tview) continue;
    const CascadeStep step = StepTo(reader, sources, depths);
    if (step.depth < 0) continue;
    depths.emplace(reader.relation, step.depth);
    steps.push_back(step);
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const CascadeStep& a, const CascadeStep& b) { return a.depth < b.depth; });
  return steps;
}

}  // namespace tviews
