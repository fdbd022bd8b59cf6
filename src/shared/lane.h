// Names of lanes: sets of TVIEWs with a frontier of their own.
//
// Layer:   core
// Sharing: none
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_LANE_H_
#define PG_TVIEWS_SHARED_LANE_H_

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace tviews {

// The lane of TVIEWs that name none.
inline constexpr char kMainLane[] = "main";
// Bytes of the name of a lane, with the end.
inline constexpr std::size_t kLaneRoom = 64;

// Lower-case letters, digits and underscores, as in names that need no quotes; not too many.
constexpr bool IsLaneName(std::string_view name) {
  return !name.empty() && name.size() < kLaneRoom &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_LANE_H_
