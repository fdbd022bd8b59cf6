#include "worker/core/lane_deltas.h"

#include <algorithm>

namespace tviews::worker {
namespace {

bool IsRelevantFor(const SourceLineage& source, const RelationDelta& delta) {
  return delta.is_whole() ||
         std::any_of(delta.keys().begin(), delta.keys().end(), [&](const auto& layout_keys) {
           return source.IsRelevant(layout_keys.first.changed);
         });
}

bool Concerns(const TviewDefinition& tview, RelationId relation, const RelationDelta& delta) {
  if (tview.relation == relation) return delta.is_whole();
  return std::any_of(tview.sources.begin(), tview.sources.end(), [&](const SourceLineage& source) {
    return source.source == relation && IsRelevantFor(source, delta);
  });
}

}  // namespace

DeltaSet DeltasForLane(const std::vector<TviewDefinition>& tviews, const DeltaSet& deltas,
                       RelationId meta) {
  DeltaSet own;
  for (const auto& change : deltas.relations()) {
    const RelationId relation = change.first;
    const RelationDelta& delta = change.second;
    const bool is_wanted =
        relation == meta || std::any_of(tviews.begin(), tviews.end(), [&](const auto& tview) {
          return Concerns(tview, relation, delta);
        });
    if (is_wanted) own.Merge(relation, delta);
  }
  return own;
}

bool IsWithin(const SnapshotBounds& earlier, const SnapshotBounds& later) {
  return earlier.xmax <= later.xmax &&
         std::none_of(later.in_progress.begin(), later.in_progress.end(),
                      [&](FullXid xid) { return earlier.Includes(xid); });
}

}  // namespace tviews::worker
