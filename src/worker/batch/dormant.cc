#include "worker/batch/dormant.h"

#include <algorithm>
#include <utility>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr BackOff kBackOff({.first = 1000000, .longest = 60 * 1000000});

}  // namespace

void DormantTviews::Load(const DependencyGraph& graph) {
  std::map<RelationId, BackOff> waiting;
  for (const TviewDefinition& tview : graph.order()) {
    if (!tview.is_quarantined) continue;
    Add(tview.relation);
    waiting.insert(*waiting_.find(tview.relation));
  }
  waiting_ = std::move(waiting);
}

void DormantTviews::Add(RelationId tview) {
  const auto [entry, is_new] = waiting_.try_emplace(tview, kBackOff);
  if (is_new) entry->second.NoteFailure(GetCurrentTimestamp());
}

bool DormantTviews::IsDue(RelationId tview) const {
  const auto found = waiting_.find(tview);
  return found != waiting_.end() && found->second.IsOver(GetCurrentTimestamp());
}

bool DormantTviews::AnyDue() const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [this](const auto& entry) { return IsDue(entry.first); });
}

void DormantTviews::Try(RelationId tview) {
  const auto found = waiting_.find(tview);
  if (found != waiting_.end()) found->second.NoteFailure(GetCurrentTimestamp());
}

}  // namespace tviews::worker
