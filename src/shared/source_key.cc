#include "shared/source_key.h"

#include <cstdint>

namespace tviews {
namespace {

// Walks through the fields of a key without copying them.
class FieldReader {
 public:
  explicit FieldReader(std::string_view key) : rest_(key) {}

  // Moves to the next field; false at the end of the key and where it is malformed.
  bool Next() {
    if (rest_.empty()) return false;
    std::uint64_t prefix = 0;
    const std::size_t prefix_size = ReadVarint(&prefix);
    if (prefix_size == 0 || (prefix > 0 && prefix - 1 > rest_.size() - prefix_size)) return false;
    const std::size_t size = prefix == 0 ? 0 : static_cast<std::size_t>(prefix - 1);
    raw_ = rest_.substr(0, prefix_size + size);
    if (prefix == 0) {
      image_.reset();
    } else {
      image_ = rest_.substr(prefix_size, size);
    }
    rest_.remove_prefix(raw_.size());
    return true;
  }

  // The field as it stands in the key, and its image.
  std::string_view raw() const { return raw_; }
  std::optional<std::string_view> image() const { return image_; }
  // True if nothing is left: after a failed Next(), that the key is well-formed.
  bool at_end() const { return rest_.empty(); }

 private:
  // Number of bytes read; 0 if there is no varint of at most 63 bits.
  std::size_t ReadVarint(std::uint64_t* value) const {
    constexpr std::size_t kMaxSize = 9;
    for (std::size_t i = 0; i < rest_.size() && i < kMaxSize; ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      *value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
      if ((byte & 0x80) == 0) return i + 1;
    }
    return 0;
  }

  std::string_view rest_;
  std::string_view raw_;
  std::optional<std::string_view> image_;
};

}  // namespace

void AppendField(std::optional<std::string_view> image, std::string* key) {
  std::uint64_t prefix = image.has_value() ? image->size() + 1 : 0;
  while (prefix >= 0x80) {
    key->push_back(static_cast<char>(prefix | 0x80));
    prefix >>= 7;
  }
  key->push_back(static_cast<char>(prefix));
  if (image.has_value()) key->append(*image);
}

std::vector<std::optional<std::string_view>> SplitFields(std::string_view key) {
  std::vector<std::optional<std::string_view>> fields;
  for (FieldReader reader(key); reader.Next();) fields.push_back(reader.image());
  return fields;
}

bool HasFields(std::string_view key, std::size_t count) {
  FieldReader reader(key);
  std::size_t found = 0;
  while (reader.Next()) ++found;
  return reader.at_end() && found == count;
}

std::optional<std::string_view> FieldAt(std::string_view key, std::size_t position) {
  FieldReader reader(key);
  for (std::size_t i = 0; reader.Next(); ++i) {
    if (i == position) return reader.image();
  }
  return std::nullopt;
}

std::string ProjectFields(std::string_view key, std::span<const std::size_t> positions) {
  std::vector<std::string_view> fields;
  for (FieldReader reader(key); reader.Next();) fields.push_back(reader.raw());
  std::string projected;
  for (const std::size_t position : positions) {
    if (position < fields.size()) projected.append(fields[position]);
  }
  return projected;
}

}  // namespace tviews
