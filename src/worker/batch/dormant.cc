#include "worker/batch/dormant.h"

#include <algorithm>
#include <utility>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr Timestamp kFirstPause = 1000000;
constexpr Timestamp kLongestPause = 60 * kFirstPause;

}  // namespace

void DormantTviews::Load(const DependencyGraph& graph) {
  std::map<RelationId, Pause> waiting;
  for (const TviewDefinition& tview : graph.order()) {
    if (!tview.is_quarantined) continue;
    Add(tview.relation);
    waiting[tview.relation] = waiting_[tview.relation];
  }
  waiting_ = std::move(waiting);
}

void DormantTviews::Add(RelationId tview) {
  waiting_.try_emplace(tview,
                       Pause{.until = GetCurrentTimestamp() + kFirstPause, .length = kFirstPause});
}

bool DormantTviews::IsDue(RelationId tview) const {
  const auto found = waiting_.find(tview);
  return found != waiting_.end() && found->second.until <= GetCurrentTimestamp();
}

bool DormantTviews::AnyDue() const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [this](const auto& entry) { return IsDue(entry.first); });
}

void DormantTviews::Try(RelationId tview) {
  const auto found = waiting_.find(tview);
  if (found == waiting_.end()) return;
  Pause& pause = found->second;
  pause.length = std::min(pause.length * 2, kLongestPause);
  pause.until = GetCurrentTimestamp() + pause.length;
}

}  // namespace tviews::worker
