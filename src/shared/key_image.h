// Keys of TVIEWs as bytes.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail
//
// The image of a key of one column is that of its value (shared/pg/server/datum_image.h). A key of
// several columns is a source key of their images (source_key.h). No value of a key is NULL.

#ifndef PG_TVIEWS_SHARED_KEY_IMAGE_H_
#define PG_TVIEWS_SHARED_KEY_IMAGE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tviews {

// The key of these values, one or more.
std::string JoinKey(const std::vector<std::string>& images);

// The values' images of a key of so many columns; fewer where the bytes are malformed. The views
// point into `key`.
std::vector<std::string_view> SplitKey(std::string_view key, std::size_t columns);

// The image of one value of such a key, 0-based. Points into `key`.
std::string_view KeyField(std::string_view key, std::size_t columns, std::size_t column);

// Keys as rows: source keys, whatever the number of columns.
std::vector<std::string> KeyRows(const std::vector<std::string>& keys, std::size_t columns);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_KEY_IMAGE_H_
