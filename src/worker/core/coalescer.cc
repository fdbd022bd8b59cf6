#include "worker/core/coalescer.h"

#include <algorithm>
#include <utility>

namespace tviews::worker {

Coalescer::Coalescer(const DependencyGraph& graph, std::size_t memory_limit)
    : graph_(graph), memory_limit_(memory_limit) {
  for (const TviewDefinition& tview : graph.order()) {
    if (tview.fill.has_value()) with_fill_[tview.relation].tview = &tview;
  }
  memory_limit_ /= with_fill_.size() + 1;
}

void Coalescer::Fold(FullXid xid, ChangeRecord record) {
  oldest_ = records_ == 0 ? record.written_at : std::min(oldest_, record.written_at);
  ++records_;
  NoteTime(record.deltas, record.written_at);
  std::vector<RelationId> changed;
  for (const auto& [relation, delta] : record.deltas.relations()) changed.push_back(relation);
  for (const RelationId relation : changed) {
    if (graph_.Find(relation) == nullptr || !record.deltas.TakeWhole(relation)) continue;
    to_compare_.insert(relation);
  }
  for (auto& [relation, with_fill] : with_fill_) {
    if (!with_fill.tview->fill->Covers(xid)) AddTo(with_fill, record.deltas);
  }
  common_.Merge(std::move(record.deltas));
  common_.DegradeTo(memory_limit_);
}

void Coalescer::FoldRefreshed(DeltaSet deltas, Timestamp changed_at) {
  if (changed_at != 0) NoteTime(deltas, changed_at);
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

Timestamp Coalescer::OldestChangeFor(const TviewDefinition& tview) const {
  Timestamp oldest = 0;
  for (const SourceLineage& source : tview.sources) {
    const auto found = changed_at_.find(source.source);
    if (found == changed_at_.end()) continue;
    oldest = oldest == 0 ? found->second : std::min(oldest, found->second);
  }
  return oldest;
}

void Coalescer::NoteTime(const DeltaSet& deltas, Timestamp changed_at) {
  for (const auto& [relation, delta] : deltas.relations()) {
    const auto [known, is_new] = changed_at_.try_emplace(relation, changed_at);
    if (!is_new) known->second = std::min(known->second, changed_at);
  }
}

void Coalescer::AddTo(WithFill& with_fill, const DeltaSet& deltas) const {
  for (const SourceLineage& source : with_fill.tview->sources) {
    const RelationDelta* const delta = deltas.Find(source.source);
    if (delta != nullptr) with_fill.deltas.Merge(source.source, *delta);
  }
  with_fill.deltas.DegradeTo(memory_limit_);
}

}  // namespace tviews::worker
