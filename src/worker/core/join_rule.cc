#include "worker/core/join_rule.h"

#include <cstddef>
#include <utility>

namespace tviews::worker {

// From the last table to the first: those after it are as they are now, those before it as they
// were.
std::vector<JoinStep> JoinSteps(const std::vector<bool>& changed) {
  std::vector<JoinStep> steps;
  for (std::size_t place = changed.size(); place-- > 0;) {
    if (!changed[place]) continue;
    JoinStep step(changed.size(), JoinedAs::kAfter);
    for (std::size_t other = 0; other < place; ++other) {
      if (changed[other]) step[other] = JoinedAs::kBefore;
    }
    step[place] = JoinedAs::kChange;
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace tviews::worker
