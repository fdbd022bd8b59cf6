#include "shared/key_image.h"

#include <optional>

#include "shared/source_key.h"

namespace tviews {

std::string JoinKey(const std::vector<std::string>& images) {
  if (images.size() == 1) return images[0];
  std::string key;
  for (const std::string& image : images) AppendField(image, &key);
  return key;
}

std::vector<std::string_view> SplitKey(std::string_view key, std::size_t columns) {
  if (columns == 1) return {key};
  std::vector<std::string_view> images;
  for (const std::optional<std::string_view>& field : SplitFields(key)) {
    images.push_back(field.value_or(std::string_view()));
  }
  return images;
}

std::string_view KeyField(std::string_view key, std::size_t columns, std::size_t column) {
  return columns == 1 ? key : FieldAt(key, column).value_or(std::string_view());
}

std::vector<std::string> KeyRows(const std::vector<std::string>& keys, std::size_t columns) {
  if (columns > 1) return keys;
  std::vector<std::string> rows;
  rows.reserve(keys.size());
  for (const std::string& key : keys) {
    rows.emplace_back();
    AppendField(key, &rows.back());
  }
  return rows;
}

}  // namespace tviews
