// The value that a setting of the form "point:value,..." has for a point.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail; what is malformed has no value

#ifndef PG_TVIEWS_SHARED_POINT_SETTING_H_
#define PG_TVIEWS_SHARED_POINT_SETTING_H_

#include <optional>
#include <string_view>

namespace tviews {

// A view into `setting`; the first value where there are several.
std::optional<std::string_view> ValueAt(std::string_view point, std::string_view setting);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_POINT_SETTING_H_
