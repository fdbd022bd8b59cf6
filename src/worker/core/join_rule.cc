#include "worker/core/join_rule.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace tviews::worker {
namespace {

bool HasChanged(const TableChange& change) { return change.has_added || change.has_removed; }

}  // namespace

// From the last table to the first: those after it are as they are now, those before it as they
// were.
std::vector<JoinStep> JoinSteps(const std::vector<TableChange>& changes) {
  std::vector<JoinStep> steps;
  for (std::size_t place = changes.size(); place-- > 0;) {
    if (!HasChanged(changes[place])) continue;
    JoinStep step(changes.size(), JoinedAs::kAfter);
    for (std::size_t other = 0; other < place; ++other) {
      if (HasChanged(changes[other])) step[other] = JoinedAs::kBefore;
    }
    step[place] = JoinedAs::kChange;
    steps.push_back(std::move(step));
  }
  return steps;
}

StepExtremes ExtremesOf(const JoinStep& step, const std::vector<TableChange>& changes) {
  const bool has_removed = std::any_of(
      changes.begin(), changes.end(), [](const TableChange& change) { return change.has_removed; });
  if (!has_removed) return StepExtremes::kComing;
  for (std::size_t place = 0; place < step.size(); ++place) {
    if (step[place] == JoinedAs::kBefore && changes[place].has_added) {
      return StepExtremes::kDoubtful;
    }
  }
  return StepExtremes::kRight;
}

}  // namespace tviews::worker
