// How many rows the planner expects, as a number to keep and to show.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_ROW_ESTIMATE_H_
#define PG_TVIEWS_SHARED_ROW_ESTIMATE_H_

#include <cstdint>

namespace tviews {

// The planner goes up to 1e100, which no integer holds: what is beyond a bound is the bound.
constexpr std::uint64_t RowEstimate(double rows) {
  constexpr double kMost = 1e15;
  if (!(rows > 0)) return 0;
  return static_cast<std::uint64_t>(rows < kMost ? rows : kMost);
}

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_ROW_ESTIMATE_H_
