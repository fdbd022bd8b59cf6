#include "worker/batch/patience.h"

#include "shared/pg/boundary/error.h"

namespace tviews::worker {
namespace {

// With the applier's back-off, about five seconds, and one minute. The long one is for memory, disk
// and I/O, which may be short for everybody, and for a while.
constexpr int kRepeats = 10;
constexpr int kRepeatsForResources = 60;
constexpr int kRepeatsAgain = 3;

}  // namespace

void Patience::NoteFailure(RelationId tview, const absl::Status& error) {
  if (tview == 0 || !pg::IsTransient(error)) return;
  const bool is_resource = pg::HasSqlState(error, "53") || pg::HasSqlState(error, "58");
  int limit = is_resource ? kRepeatsForResources : kRepeats;
  if (distrusted_.contains(tview)) limit = kRepeatsAgain;
  if (++failures_[tview] < limit) return;
  exhausted_.insert(tview);
  distrusted_.insert(tview);
}

void Patience::NoteSuccess(bool has_quarantine) {
  failures_.clear();
  exhausted_.clear();
  if (!has_quarantine) distrusted_.clear();
}

}  // namespace tviews::worker
