// How often a batch is repeated because of one TVIEW.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  cannot fail
//
// A transient error is answered by repeating the batch. A definition can raise such an error
// itself, by RAISE or by needing more memory than there is, and would stop the stream for ever.
// After a number of failures in the same TVIEW, with no success between them, its next one counts
// as an error of the data: keys are put into quarantine. A TVIEW that has exhausted the patience
// gets little of it until nothing is in quarantine any more. For lack of resources, which may be
// somebody else's and pass, the TVIEW is left behind in between (behind.h).

#ifndef PG_TVIEWS_WORKER_BATCH_PATIENCE_H_
#define PG_TVIEWS_WORKER_BATCH_PATIENCE_H_

#include <map>
#include <set>

#include "absl/status/status.h"
#include "shared/types.h"

namespace tviews::worker {

class Patience {
 public:
  // A batch failed with `error` while it refreshed `tview`; 0: elsewhere.
  void NoteFailure(RelationId tview, const absl::Status& error);
  // True if `tview` has failed for lack of resources so often that it is to be left behind.
  bool NoteShortage(RelationId tview) { return ++failures_[tview] >= kShortages; }
  // A batch succeeded.
  void NoteSuccess(bool has_quarantine);

  // True if no error of `tview` is a reason to repeat the batch.
  bool IsExhausted(RelationId tview) const { return exhausted_.contains(tview); }
  bool IsExhausted() const { return !exhausted_.empty(); }  // of any TVIEW

 private:
  static constexpr int kShortages = 5;  // with the applier's back-off, less than a second

  std::map<RelationId, int> failures_;  // since a batch succeeded
  std::set<RelationId> exhausted_;      // until one succeeds
  std::set<RelationId> distrusted_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_PATIENCE_H_
