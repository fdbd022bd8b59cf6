#include "shared/point_setting.h"

#include <cstddef>

namespace tviews {

std::optional<std::string_view> ValueAt(std::string_view point, std::string_view setting) {
  for (;;) {
    const std::size_t comma = setting.find(',');
    const std::string_view item = setting.substr(0, comma);
    const std::size_t colon = item.find(':');
    if (colon != std::string_view::npos && item.substr(0, colon) == point &&
        item.find(':', colon + 1) == std::string_view::npos) {
      return item.substr(colon + 1);
    }
    if (comma == std::string_view::npos) return std::nullopt;
    setting.remove_prefix(comma + 1);
  }
}

}  // namespace tviews
