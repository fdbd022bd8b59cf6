#include "worker/coalescer.h"

#include <algorithm>
#include <utility>

namespace tviews::worker {

Coalescer::Coalescer(const DependencyGraph& graph, std::size_t memory_limit)
    : memory_limit_(memory_limit) {
  for (const TviewDefinition& tview : graph.order()) {
    if (tview.fill.has_value()) with_fill_[tview.relation].tview = &tview;
  }
}

void Coalescer::Fold(FullXid xid, ChangeRecord record) {
  oldest_ = records_ == 0 ? record.written_at : std::min(oldest_, record.written_at);
  ++records_;
  for (auto& [relation, with_fill] : with_fill_) {
    if (!with_fill.tview->fill->Covers(xid)) AddTo(with_fill, record.deltas);
  }
  common_.Merge(std::move(record.deltas));
  common_.DegradeTo(memory_limit_);
}

void Coalescer::FoldRefreshed(DeltaSet deltas) {
  for (auto& [relation, with_fill] : with_fill_) AddTo(with_fill, deltas);
  common_.Merge(std::move(deltas));
  common_.DegradeTo(memory_limit_);
}

const DeltaSet& Coalescer::DeltasFor(const TviewDefinition& tview) const {
  const auto found = with_fill_.find(tview.relation);
  return found == with_fill_.end() ? common_ : found->second.deltas;
}

std::vector<RelationId> Coalescer::ChangedRelations() const {
  std::vector<RelationId> relations;
  for (const auto& [relation, delta] : common_.relations()) relations.push_back(relation);
  return relations;
}

void Coalescer::AddTo(WithFill& with_fill, const DeltaSet& deltas) const {
  for (const SourceLineage& source : with_fill.tview->sources) {
    const RelationDelta* const delta = deltas.Find(source.source);
    if (delta != nullptr) with_fill.deltas.Merge(source.source, *delta);
  }
  with_fill.deltas.DegradeTo(memory_limit_);
}

}  // namespace tviews::worker
