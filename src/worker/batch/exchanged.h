// TVIEWs whose rows a session has exchanged for those of their shadows.
//
// Layer:   worker
// Sharing: private to the applier; tables, written in the batch's transaction
// Errors:  returns Status
//
// A batch that did not see the exchange may have left the shadow aside, since the exchange holds
// its lock. What the shadow owes is then missing from the rows that the TVIEW has now; what the
// TVIEW itself owed is of rows that are gone.

#ifndef PG_TVIEWS_WORKER_BATCH_EXCHANGED_H_
#define PG_TVIEWS_WORKER_BATCH_EXCHANGED_H_

#include <set>

#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/types.h"

namespace tviews::worker {

// Gives the TVIEWs of `graph` whose exchange the active snapshot sees what their shadows owe.
// Returns the shadows of other TVIEWs of the database, `all`: their lanes do it. Other exchanges,
// of TVIEWs that are gone, are forgotten.
absl::StatusOr<std::set<RelationId>> TakeOverDebts(const DependencyGraph& graph,
                                                   const DependencyGraph& all);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_EXCHANGED_H_
