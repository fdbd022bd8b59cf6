#include "worker/batch/patience.h"

#include "shared/pg/boundary/error.h"

namespace tviews::worker {
namespace {

constexpr int kRepeats = 10;  // with the applier's back-off, about five seconds
constexpr int kRepeatsAgain = 3;

}  // namespace

void Patience::NoteFailure(RelationId tview, const absl::Status& error) {
  if (tview == 0 || !pg::IsTransient(error)) return;
  if (++failures_[tview] < (distrusted_.contains(tview) ? kRepeatsAgain : kRepeats)) return;
  exhausted_.insert(tview);
  distrusted_.insert(tview);
}

void Patience::NoteSuccess(bool has_quarantine) {
  failures_.clear();
  exhausted_.clear();
  if (!has_quarantine) distrusted_.clear();
}

}  // namespace tviews::worker
