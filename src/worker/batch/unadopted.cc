#include "worker/batch/unadopted.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/awaiting_adoption.h"
#include "shared/status_macros.h"
#include "worker/batch/inheritance_check.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/lockdefs.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

absl::StatusOr<UnadoptedTviews> ReadUnadopted() {
  UnadoptedTviews unadopted;
  TVIEWS_ASSIGN_OR_RETURN(SnapshotData* const snapshot,
                          pg::CallFor([]() -> SnapshotData* { return GetActiveSnapshot(); }));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::Unfollowing> waiting,
                          pg::WaitingForAdoption(snapshot));
  for (const pg::Unfollowing& tview : waiting) {
    unadopted.tviews.insert(tview.tview);
    if (tview.is_adopted) continue;
    unadopted.locks.push_back({tview.tview, ShareRowExclusiveLock});
    unadopted.locks.push_back({tview.backing_view, AccessShareLock});
    std::vector<RelationId> sources = tview.sources;
    for (const RelationId source : tview.sources) {
      TVIEWS_RETURN_IF_ERROR(AppendDescendants(source, &sources));
    }
    for (const RelationId source : sources)
      unadopted.locks.push_back({source, ShareRowExclusiveLock});
  }
  return unadopted;
}

}  // namespace tviews::worker
