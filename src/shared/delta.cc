#include "shared/delta.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"

namespace tviews {
namespace {

constexpr std::size_t kSlot = 48;

// What a key costs in a hash set: its slot at the usual load, and its bytes where they do not fit
// into the slot. A function of the key alone, so that the order of folding does not matter.
std::size_t KeyBytes(std::size_t key_size) {
  constexpr std::size_t kInlineSize = 15;
  constexpr std::size_t kHeapOverhead = 16;
  return kSlot + (key_size > kInlineSize ? key_size + kHeapOverhead : 0);
}

}  // namespace

std::size_t KeysWithin(std::size_t bytes) { return bytes / kSlot + 1; }

bool RelationDelta::Add(const Layout& layout, std::string_view key) {
  if (whole_) return false;
  const bool is_new = keys_[layout].emplace(absl::string_view(key.data(), key.size())).second;
  if (is_new) bytes_ += KeyBytes(key.size());
  return is_new;
}

void RelationDelta::Reserve(const Layout& layout, std::size_t count) {
  if (!whole_) keys_[layout].reserve(count);
}

void RelationDelta::MarkWhole() {
  whole_ = true;
  bytes_ = 0;
  keys_.clear();
}

void RelationDelta::Merge(RelationDelta other) {
  if (whole_) return;
  if (other.whole_) {
    MarkWhole();
    return;
  }
  bytes_ += other.bytes_;
  for (auto& [layout, keys] : other.keys_) {
    SourceKeySet& own = keys_[layout];
    if (own.size() < keys.size()) own.swap(keys);
    own.merge(keys);
    for (const std::string& duplicate : keys) bytes_ -= KeyBytes(duplicate.size());
  }
}

std::size_t RelationDelta::key_count() const {
  std::size_t count = 0;
  for (const auto& [layout, keys] : keys_) count += keys.size();
  return count;
}

bool DeltaSet::Add(RelationId relation, const Layout& layout, std::string_view key) {
  RelationDelta& delta = relations_[relation];
  const std::size_t before = delta.bytes();
  const bool is_new = delta.Add(layout, key);
  bytes_ += delta.bytes() - before;
  return is_new;
}

void DeltaSet::Reserve(RelationId relation, const Layout& layout, std::size_t count) {
  relations_[relation].Reserve(layout, count);
}

void DeltaSet::MarkWhole(RelationId relation) {
  RelationDelta& delta = relations_[relation];
  bytes_ -= delta.bytes();
  delta.MarkWhole();
}

void DeltaSet::Merge(DeltaSet other) {
  for (auto& [relation, delta] : other.relations_) Merge(relation, std::move(delta));
}

void DeltaSet::Merge(RelationId relation, RelationDelta other) {
  if (other.empty()) return;
  RelationDelta& delta = relations_[relation];
  bytes_ -= delta.bytes();
  delta.Merge(std::move(other));
  bytes_ += delta.bytes();
}

bool DeltaSet::TakeWhole(RelationId relation) {
  const auto found = relations_.find(relation);
  if (found == relations_.end() || !found->second.is_whole()) return false;
  relations_.erase(found);
  return true;
}

void DeltaSet::DegradeTo(std::size_t limit) {
  if (bytes_ <= limit) return;
  std::vector<std::pair<std::size_t, RelationId>> largest_first;
  for (const auto& [relation, delta] : relations_) {
    if (!delta.is_whole()) largest_first.emplace_back(delta.bytes(), relation);
  }
  std::sort(largest_first.begin(), largest_first.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  for (const auto& [bytes, relation] : largest_first) {
    if (bytes_ <= limit) return;
    MarkWhole(relation);
  }
}

std::size_t DeltaSet::key_count() const {
  std::size_t count = 0;
  for (const auto& [relation, delta] : relations_) count += delta.key_count();
  return count;
}

const RelationDelta* DeltaSet::Find(RelationId relation) const {
  const auto found = relations_.find(relation);
  return found == relations_.end() ? nullptr : &found->second;
}

void DeltaSet::Clear() {
  bytes_ = 0;
  relations_.clear();
}

}  // namespace tviews
