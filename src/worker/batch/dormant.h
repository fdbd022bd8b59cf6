// TVIEWs in quarantine as a whole, and when each is tried again.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  cannot fail
//
// Batches pass such a TVIEW by. What made it fail may be gone without a change that reaches it (a
// privilege, a function, a setting), so it is compared with its query again after a pause that
// doubles with every failure, up to a minute: it heals without anybody's help.

#ifndef PG_TVIEWS_WORKER_BATCH_DORMANT_H_
#define PG_TVIEWS_WORKER_BATCH_DORMANT_H_

#include <map>

#include "shared/dependency_graph.h"
#include "shared/types.h"
#include "worker/core/back_off.h"

namespace tviews::worker {

class DormantTviews {
 public:
  // The graph was read again. Those that are still dormant keep their pauses.
  void Load(const DependencyGraph& graph);

  // A batch has put it into quarantine: no other batch may follow to read the graph again.
  void Add(RelationId tview);

  bool empty() const { return waiting_.empty(); }
  bool IsDue(RelationId tview) const;
  bool AnyDue() const;

  // It is tried now.
  void Try(RelationId tview);

 private:
  std::map<RelationId, BackOff> waiting_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_DORMANT_H_
