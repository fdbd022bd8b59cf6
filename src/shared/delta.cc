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

std::size_t ImageBytes(std::size_t image_size) {
  return KeyBytes(image_size) + sizeof(std::int64_t);
}

}  // namespace

std::size_t KeysWithin(std::size_t bytes) { return bytes / kSlot + 1; }

bool RelationDelta::Add(const Layout& layout, std::string_view key) {
  MarkUncounted();
  return AddCounted(layout, key);
}

void RelationDelta::AddImage(const std::vector<CapturedColumn>& columns, std::string_view image,
                             std::int64_t weight) {
  if (whole_ || uncounted_) return;
  if (!has_images_) image_columns_ = columns;
  has_images_ = true;
  if (image_columns_ != columns) {
    MarkUncounted();
    return;
  }
  if (weight == 0) return;
  const std::size_t cost = ImageBytes(image.size());
  const auto [found, is_new] =
      images_.try_emplace(absl::string_view(image.data(), image.size()), weight);
  if (is_new) {
    image_bytes_ += cost;
    bytes_ += cost;
    return;
  }
  found->second += weight;
  if (found->second != 0) return;
  images_.erase(found);
  image_bytes_ -= cost;
  bytes_ -= cost;
}

void RelationDelta::MarkUncounted() noexcept {
  uncounted_ = true;
  bytes_ -= image_bytes_;
  image_bytes_ = 0;
  images_.clear();
  image_columns_.clear();
}

// An empty delta, counted or not, says nothing of changes.
void RelationDelta::MergeImages(RelationDelta* other) {
  if (other->uncounted_) MarkUncounted();
  if (uncounted_ || !other->has_images_) return;
  if (!has_images_) {
    has_images_ = true;
    image_columns_ = std::move(other->image_columns_);
    images_ = std::move(other->images_);
    image_bytes_ = other->image_bytes_;
    bytes_ += image_bytes_;
    return;
  }
  if (image_columns_ != other->image_columns_) {
    MarkUncounted();
    return;
  }
  for (const auto& [image, weight] : other->images_) AddImage(image_columns_, image, weight);
}

bool RelationDelta::AddCounted(const Layout& layout, std::string_view key) {
  if (whole_) return false;
  const bool is_new = keys_[layout].emplace(absl::string_view(key.data(), key.size())).second;
  if (is_new) bytes_ += KeyBytes(key.size());
  return is_new;
}

void RelationDelta::Reserve(const Layout& layout, std::size_t count) {
  if (!whole_) keys_[layout].reserve(count);
}

void RelationDelta::MarkWhole() {
  MarkUncounted();
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
  MergeImages(&other);
  bytes_ += other.bytes_ - other.image_bytes_;
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

bool DeltaSet::AddCounted(RelationId relation, const Layout& layout, std::string_view key) {
  RelationDelta& delta = relations_[relation];
  const std::size_t before = delta.bytes();
  const bool is_new = delta.AddCounted(layout, key);
  bytes_ += delta.bytes() - before;
  return is_new;
}

void DeltaSet::AddImage(RelationId relation, const std::vector<CapturedColumn>& columns,
                        std::string_view image, std::int64_t weight) {
  RelationDelta& delta = relations_[relation];
  const std::size_t before = delta.bytes();
  delta.AddImage(columns, image, weight);
  bytes_ += delta.bytes() - before;
}

void DeltaSet::MarkUncounted() noexcept {
  for (auto& [relation, delta] : relations_) {
    bytes_ -= delta.bytes();
    delta.MarkUncounted();
    bytes_ += delta.bytes();
  }
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

void DeltaSet::GiveUpImages(std::size_t limit) {
  while (bytes_ > limit) {
    RelationDelta* largest = nullptr;
    for (auto& [relation, delta] : relations_) {
      if (delta.images().empty()) continue;
      if (largest == nullptr || delta.images().size() > largest->images().size()) largest = &delta;
    }
    if (largest == nullptr) return;
    bytes_ -= largest->bytes();
    largest->MarkUncounted();
    bytes_ += largest->bytes();
  }
}

void DeltaSet::DegradeTo(std::size_t limit) {
  GiveUpImages(limit);
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
