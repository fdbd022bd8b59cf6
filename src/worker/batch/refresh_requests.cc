#include "worker/batch/refresh_requests.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "shared/pg/boundary/error.h"

namespace tviews::worker {
namespace {

using pg::RefreshRequest;

void CopyText(absl::string_view text, char* to, std::size_t room) {
  const std::size_t size = std::min(text.size(), room - 1);
  std::memcpy(to, text.data(), size);
  to[size] = '\0';
}

}  // namespace

void RefreshRequests::Take() {
  // There are no more places than this: the list does not grow under the lock.
  taken_.reserve(pg::kRefreshRequests);
  pg::ExclusiveHolder holder(slot_->queue_lock);
  std::erase_if(taken_, [&](const Taken& taken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot_->queue_lock) {
    RefreshRequest& request = slot_->requests[taken.index];
    if (request.state != RefreshRequest::kAbandoned) return false;
    request.state = RefreshRequest::kFree;
    return true;
  });
  for (Taken& taken : taken_) taken.is_postponed = false;
  has_new_ = false;
  for (int i = 0; i < pg::kRefreshRequests; ++i) {
    RefreshRequest& request = slot_->requests[i];
    if (request.state != RefreshRequest::kWaiting) continue;
    request.state = RefreshRequest::kTaken;
    taken_.push_back(Taken{.index = i, .tview = request.tview});
    has_new_ = true;
  }
}

bool RefreshRequests::AnyWaiting() const {
  pg::ReadHolder holder(slot_->queue_lock);
  for (const RefreshRequest& request : slot_->requests) {
    if (request.state == RefreshRequest::kWaiting) return true;
  }
  return false;
}

bool RefreshRequests::IsRequested(RelationId tview) const {
  return std::any_of(taken_.begin(), taken_.end(),
                     [&](const Taken& taken) { return taken.tview == tview; });
}

void RefreshRequests::Begin(RelationId tview) {
  if (!IsRequested(tview)) return;
  pg::ExclusiveHolder holder(slot_->queue_lock);
  for (const Taken& taken : taken_) {
    RefreshRequest& request = slot_->requests[taken.index];
    if (taken.tview == tview && request.state == RefreshRequest::kTaken) {
      request.state = RefreshRequest::kRunning;
    }
  }
}

void RefreshRequests::Note(RelationId tview, const WriteCounts& counts,
                           const absl::Status& failure) {
  for (Taken& taken : taken_) {
    if (taken.tview != tview) continue;
    taken.counts = counts;
    taken.sqlstate = failure.ok() ? "" : pg::SqlState(failure);
    taken.error = std::string(failure.message());
  }
}

void RefreshRequests::Postpone(RelationId tview) {
  for (Taken& taken : taken_) {
    if (taken.tview == tview) taken.is_postponed = true;
  }
}

void RefreshRequests::AfterCommit() {
  if (taken_.empty()) return;
  pg::ExclusiveHolder holder(slot_->queue_lock);
  for (const Taken& taken : taken_) {
    if (taken.is_postponed) continue;
    RefreshRequest& request = slot_->requests[taken.index];
    if (request.state == RefreshRequest::kAbandoned) {
      request.state = RefreshRequest::kFree;
      continue;
    }
    request.inserted = taken.counts.inserted;
    request.updated = taken.counts.updated;
    request.deleted = taken.counts.deleted;
    request.unchanged = taken.counts.unchanged;
    request.state = taken.sqlstate.empty() ? RefreshRequest::kDone : RefreshRequest::kFailed;
    CopyText(taken.sqlstate, request.sqlstate, sizeof(request.sqlstate));
    CopyText(taken.error, request.error, sizeof(request.error));
  }
  std::erase_if(taken_, [](const Taken& taken) { return !taken.is_postponed; });
}

void RefreshRequests::Fail(RelationId tview, const absl::Status& failure) {
  const std::string sqlstate = pg::SqlState(failure);
  pg::ExclusiveHolder holder(slot_->queue_lock);
  std::erase_if(taken_, [&](const Taken& taken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot_->queue_lock) {
    if (taken.tview != tview) return false;
    RefreshRequest& request = slot_->requests[taken.index];
    const bool is_abandoned = request.state == RefreshRequest::kAbandoned;
    request.state = is_abandoned ? RefreshRequest::kFree : RefreshRequest::kFailed;
    CopyText(sqlstate, request.sqlstate, sizeof(request.sqlstate));
    CopyText(failure.message(), request.error, sizeof(request.error));
    return true;
  });
}

void RefreshRequests::AfterFailure() {
  if (taken_.empty()) return;
  pg::ExclusiveHolder holder(slot_->queue_lock);
  for (const Taken& taken : taken_) {
    RefreshRequest& request = slot_->requests[taken.index];
    const bool is_abandoned = request.state == RefreshRequest::kAbandoned;
    request.state = is_abandoned ? RefreshRequest::kFree : RefreshRequest::kWaiting;
  }
  taken_.clear();
}

}  // namespace tviews::worker
