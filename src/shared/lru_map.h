// A map of bounded size that forgets what was used longest ago.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail (allocation aside)

#ifndef PG_TVIEWS_SHARED_LRU_MAP_H_
#define PG_TVIEWS_SHARED_LRU_MAP_H_

#include <cstddef>
#include <list>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace tviews {

template <typename Key, typename Value>
class LruMap {
 public:
  // The value of `key`, which counts as used; null if there is none. Valid until it is taken out.
  Value* Find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  // REQUIRES: the key is not there.
  Value* Insert(const Key& key, Value value) {
    entries_.emplace_front(key, std::move(value));
    places_.emplace(key, entries_.begin());
    return &entries_.front().second;
  }

  // Takes out the value that was used longest ago, if there are more than `limit`.
  std::optional<Value> EvictBeyond(std::size_t limit) {
    if (entries_.size() <= limit) return std::nullopt;
    std::optional<Value> value(std::move(entries_.back().second));
    places_.erase(entries_.back().first);
    entries_.pop_back();
    return value;
  }

  void Clear() {
    places_.clear();
    entries_.clear();
  }

  std::size_t size() const { return entries_.size(); }
  // In the order of use, the last one first.
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::list<std::pair<Key, Value>> entries_;
  absl::flat_hash_map<Key, typename std::list<std::pair<Key, Value>>::iterator> places_;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_LRU_MAP_H_
