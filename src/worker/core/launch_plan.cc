#include "worker/core/launch_plan.h"

#include <algorithm>

namespace tviews::worker {
namespace {

constexpr Timestamp kSecond = 1000000;
constexpr BackOff kBackOff({.first = kSecond / 10, .longest = 5 * kSecond, .free = 1});
// An applier that lived that long has ended for a reason of its own.
constexpr Timestamp kShortLife = kSecond;
constexpr Timestamp kNoWorkerPause = kSecond;
constexpr Timestamp kRemembered = 5 * kSecond;
constexpr Timestamp kShortestNap = kSecond / 10;

}  // namespace

LaunchPlan::Launch* LaunchPlan::Find(Launchee launchee) {
  const auto found = std::find_if(launches_.begin(), launches_.end(), [&](const Launch& launch) {
    return launch.launchee == launchee;
  });
  return found == launches_.end() ? nullptr : &*found;
}

void LaunchPlan::Want(Launchee launchee) {
  if (Launch* const launch = Find(launchee); launch != nullptr) {
    launch->is_wanted = true;
  } else {
    launches_.push_back({.launchee = launchee, .back_off = kBackOff});
  }
}

std::optional<Launchee> LaunchPlan::Next(Timestamp now) const {
  for (const Launch& launch : launches_) {
    if (launch.is_wanted && !launch.is_running && launch.back_off.IsOver(now)) {
      return launch.launchee;
    }
  }
  return std::nullopt;
}

void LaunchPlan::NoteStarted(Launchee launchee, Timestamp now) {
  Launch* const launch = Find(launchee);
  if (launch == nullptr) return;
  launch->is_wanted = false;
  launch->is_running = true;
  launch->started_at = now;
  std::rotate(launches_.begin() + (launch - launches_.data()),
              launches_.begin() + (launch - launches_.data()) + 1, launches_.end());
}

void LaunchPlan::NoteNoWorker(Launchee launchee, Timestamp now) {
  Launch* const launch = Find(launchee);
  if (launch == nullptr) return;
  launch->back_off.WaitUntil(now + kNoWorkerPause);
  std::rotate(launches_.begin() + (launch - launches_.data()),
              launches_.begin() + (launch - launches_.data()) + 1, launches_.end());
}

void LaunchPlan::NoteEnded(Launchee launchee, Timestamp worked_at, Timestamp now) {
  Launch* const launch = Find(launchee);
  if (launch == nullptr || !launch->is_running) return;
  launch->is_running = false;
  if (now - launch->started_at > kShortLife || worked_at > launch->started_at) {
    launch->back_off.Reset();
  }
  launch->back_off.NoteFailure(now);
}

void LaunchPlan::EndWaits() {
  for (Launch& launch : launches_) launch.back_off.WaitUntil(0);
}

void LaunchPlan::Forget(Timestamp now) {
  std::erase_if(launches_, [now](const Launch& launch) {
    return !launch.is_running && !launch.is_wanted && now > launch.back_off.until() + kRemembered;
  });
}

bool LaunchPlan::IsRunning(Launchee launchee) const {
  return std::any_of(launches_.begin(), launches_.end(), [&](const Launch& launch) {
    return launch.launchee == launchee && launch.is_running;
  });
}

int LaunchPlan::running() const {
  return static_cast<int>(std::count_if(launches_.begin(), launches_.end(),
                                        [](const Launch& launch) { return launch.is_running; }));
}

bool LaunchPlan::IsVisiting(Timestamp now, absl::FunctionRef<bool(Launchee)> is_settled) const {
  return std::any_of(launches_.begin(), launches_.end(), [&](const Launch& launch) {
    return launch.is_running && now - launch.started_at <= kVisitTime &&
           !is_settled(launch.launchee);
  });
}

Timestamp LaunchPlan::NextAt(Timestamp now, Timestamp longest) const {
  Timestamp next = now + longest;
  for (const Launch& launch : launches_) {
    if (!launch.is_wanted || launch.is_running) continue;
    next = std::min(next, std::max(launch.back_off.until(), now + kShortestNap));
  }
  return next;
}

}  // namespace tviews::worker
