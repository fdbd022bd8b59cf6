#include "worker/core/key_checklist.h"

namespace tviews::worker {

KeyNote KeyChecklist::CrossOff(std::string_view key) {
  const std::size_t position = PositionOf(key);
  if (position == keys_.size()) return KeyNote::kNotListed;
  if (crossed_off_[position]) return KeyNote::kAgain;
  crossed_off_[position] = true;
  ++count_;
  next_ = position + 1;
  return KeyNote::kNew;
}

// The number of keys where `key` is not on the list.
std::size_t KeyChecklist::PositionOf(std::string_view key) {
  if (next_ < keys_.size() && keys_[next_] == key) return next_;
  if (positions_.empty()) {
    positions_.reserve(keys_.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) positions_.emplace(keys_[i], i);
  }
  const auto found = positions_.find(absl::string_view(key.data(), key.size()));
  return found == positions_.end() ? keys_.size() : found->second;
}

std::vector<std::string> KeyChecklist::Remaining() const {
  std::vector<std::string> remaining;
  if (count_ == keys_.size()) return remaining;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (!crossed_off_[i]) remaining.push_back(keys_[i]);
  }
  return remaining;
}

}  // namespace tviews::worker
