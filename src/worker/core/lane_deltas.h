// What a batch of the main lane hands to another lane, and what of it is news there.
//
// Layer:   core
// Sharing: private to the applier
// Errors:  cannot fail

#ifndef PG_TVIEWS_WORKER_CORE_LANE_DELTAS_H_
#define PG_TVIEWS_WORKER_CORE_LANE_DELTAS_H_

#include <vector>

#include "shared/delta.h"
#include "shared/tview_definition.h"
#include "shared/types.h"

namespace tviews::worker {

// The part of `deltas` that concerns one of `tviews`: changes of what they read, TVIEWs of theirs
// that are to be compared as a whole, and a change of `meta`, the metadata.
DeltaSet DeltasForLane(const std::vector<TviewDefinition>& tviews, const DeltaSet& deltas,
                       RelationId meta);

// True if `later` surely includes every transaction that `earlier` includes.
bool IsWithin(const SnapshotBounds& earlier, const SnapshotBounds& later);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_LANE_DELTAS_H_
