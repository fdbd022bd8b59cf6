// TVIEWs that do not follow their sources because they, or TVIEWs that they read, wait to be
// adopted (backend/tview/adopt.h).
//
// Layer:   pg
// Sharing: private to one process; tables
// Errors:  returns Status
//
// Whoever waits for TVIEWs waits for these as for those that a batch has left aside: the frontier
// does not hold for them. One whose adoption has failed is not among them, so that nobody waits for
// what may never come: it has a dead letter without a key.

#ifndef PG_TVIEWS_SHARED_PG_COMMON_AWAITING_ADOPTION_H_
#define PG_TVIEWS_SHARED_PG_COMMON_AWAITING_ADOPTION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

struct SnapshotData;

namespace tviews::pg {

struct Unfollowing {
  RelationId tview = 0;
  bool is_adopted = false;  // it reads one that is not
  RelationId backing_view = 0;
  std::vector<RelationId> sources;
};

// As `snapshot` sees them, which is registered or active.
absl::StatusOr<std::vector<Unfollowing>> WaitingForAdoption(SnapshotData* snapshot);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_AWAITING_ADOPTION_H_
