#include "shared/savepoint_deltas.h"

#include <algorithm>
#include <utility>

namespace tviews {

bool SavepointDeltas::Add(int nest_level, RelationId relation, const Layout& layout,
                          std::string_view key) {
  DeltaSet& deltas = At(nest_level);
  if (levels_.size() > 1 && IsWholeBelow(relation)) return false;
  if (!deltas.Add(relation, layout, key)) return false;
  ++key_count_;
  return true;
}

bool SavepointDeltas::AddCounted(int nest_level, RelationId relation, const Layout& layout,
                                 std::string_view key) {
  DeltaSet& deltas = At(nest_level);
  if (levels_.size() > 1 && IsWholeBelow(relation)) return false;
  if (!deltas.AddCounted(relation, layout, key)) return false;
  ++key_count_;
  return true;
}

void SavepointDeltas::AddImage(int nest_level, RelationId relation,
                               const std::vector<CapturedColumn>& columns, std::string_view image,
                               std::int64_t weight) {
  DeltaSet& deltas = At(nest_level);
  if (levels_.size() > 1 && IsWholeBelow(relation)) return;
  deltas.AddImage(relation, columns, image, weight);
}

void SavepointDeltas::MarkWhole(int nest_level, RelationId relation) {
  At(nest_level).MarkWhole(relation);
  key_count_ = CountKeys();
}

DeltaSet& SavepointDeltas::At(int nest_level) {
  if (levels_.empty() || levels_.back().nest_level < nest_level) {
    if (!levels_.empty()) lower_bytes_ += levels_.back().deltas.bytes();
    levels_.push_back({.nest_level = nest_level, .deltas = {}});
  }
  return levels_.back().deltas;
}

bool SavepointDeltas::IsWholeBelow(RelationId relation) const {
  return std::any_of(levels_.begin(), levels_.end() - 1, [relation](const Level& level) {
    const RelationDelta* const delta = level.deltas.Find(relation);
    return delta != nullptr && delta->is_whole();
  });
}

std::size_t SavepointDeltas::CountKeys() const noexcept {
  std::size_t count = 0;
  for (const Level& level : levels_) count += level.deltas.key_count();
  return count;
}

void SavepointDeltas::KeepWithin(std::size_t limit) {
  if (levels_.empty()) return;
  const std::size_t bytes = lower_bytes_ + levels_.back().deltas.bytes();
  if (bytes <= limit) return;
  std::size_t excess = bytes - limit;
  // The outer levels last: what is in them has lasted longer.
  for (auto level = levels_.rbegin(); level != levels_.rend() && excess > 0; ++level) {
    const std::size_t before = level->deltas.bytes();
    level->deltas.DegradeTo(before > excess ? before - excess : 0);
    const std::size_t freed = before - level->deltas.bytes();
    if (level != levels_.rbegin()) lower_bytes_ -= freed;
    excess -= std::min(freed, excess);
  }
  key_count_ = CountKeys();
}

// Where the release fails after this, the level below keeps keys that nothing has changed: they
// cost a comparison, no more. Images would be counted wrongly: RollBack gives them up.
void SavepointDeltas::BeginRelease(int nest_level) {
  if (levels_.size() < 2 || levels_.back().nest_level < nest_level) return;
  if (levels_[levels_.size() - 2].nest_level >= nest_level - 1) {
    FoldLast();
    released_ = nest_level;
  }
  key_count_ = CountKeys();
}

void SavepointDeltas::EndRelease(int nest_level) noexcept {
  released_ = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    if (level->nest_level < nest_level) break;
    level->nest_level = nest_level - 1;
  }
}

// Into the one below.
void SavepointDeltas::FoldLast() {
  DeltaSet released = std::move(levels_.back().deltas);
  levels_.pop_back();
  DeltaSet& kept = levels_.back().deltas;
  lower_bytes_ -= kept.bytes();
  kept.Merge(std::move(released));
}

void SavepointDeltas::RollBack(int nest_level) noexcept {
  if (released_ >= nest_level) {
    for (Level& level : levels_) level.deltas.MarkUncounted();
    lower_bytes_ = 0;
    for (const Level& level : levels_) lower_bytes_ += level.deltas.bytes();
    if (!levels_.empty()) lower_bytes_ -= levels_.back().deltas.bytes();
  }
  released_ = 0;
  while (!levels_.empty() && levels_.back().nest_level >= nest_level) {
    levels_.pop_back();
    if (!levels_.empty()) lower_bytes_ -= levels_.back().deltas.bytes();
  }
  key_count_ = CountKeys();
}

DeltaSet SavepointDeltas::TakeAll() {
  if (levels_.empty()) return {};
  while (levels_.size() > 1) FoldLast();
  DeltaSet deltas = std::move(levels_.front().deltas);
  Clear();
  return deltas;
}

void SavepointDeltas::Clear() noexcept {
  levels_.clear();
  lower_bytes_ = 0;
  key_count_ = 0;
  released_ = 0;
}

}  // namespace tviews
