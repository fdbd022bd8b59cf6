// Source keys: the captured columns of one version of one changed row, as bytes.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail; malformed bytes end the reading early
//
// One field per captured column, in the layout's order: a base-128 varint holding 0 for NULL or
// size + 1, then `size` bytes, the column's value image (shared/pg/server/datum_image.h). Fields
// describe themselves, so keys are projected and compared without knowing the types. Two keys are
// the same source key exactly if their bytes are the same.

#ifndef PG_TVIEWS_SHARED_SOURCE_KEY_H_
#define PG_TVIEWS_SHARED_SOURCE_KEY_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tviews {

// Appends one field. The view must not overlap `key`.
void AppendField(std::optional<std::string_view> image, std::string* key);

// Splits `key` into its fields; nullopt stands for NULL. The views point into `key`.
std::vector<std::optional<std::string_view>> SplitFields(std::string_view key);

// True if `key` is well-formed and has exactly `count` fields.
bool HasFields(std::string_view key, std::size_t count);

// The field of `key` at `position` (0-based); nullopt stands for NULL. The view points into `key`.
// REQUIRES: the position exists in `key`.
std::optional<std::string_view> FieldAt(std::string_view key, std::size_t position);

// The source key that consists of the fields of `key` at `positions` (0-based), in that order.
// REQUIRES: every position exists in `key`.
std::string ProjectFields(std::string_view key, std::span<const std::size_t> positions);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_SOURCE_KEY_H_
