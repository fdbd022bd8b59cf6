// pg_tviews.lane: which TVIEWs have a frontier in common.
//
// Layer:   backend
// Sharing: private to one process; pg_tview_meta.options
// Errors:  returns Status
//
// TVIEWs that read each other are in one lane, because a batch refreshes them together. So a new
// one goes where those are that it reads, and one that moves takes along all that it hangs together
// with. Nobody refreshes them while they move; the first batch of their new lane that sees the
// change compares them with their queries, and until then they count as new: a session waits for
// that batch before it reads them.

#ifndef PG_TVIEWS_BACKEND_TVIEW_LANES_H_
#define PG_TVIEWS_BACKEND_TVIEW_LANES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct DefElem;

namespace tviews::backend {

// The options "lane" and "lag_target" as members of pg_tview_meta.options.
absl::StatusOr<std::string> LaneAsJson(const std::string& text);
absl::StatusOr<std::string> LagTargetAsJson(const std::string& text);

// Adds to `options` of a new TVIEW the lane of the TVIEWs among `sources`, unless they name one.
absl::Status InheritLane(const std::vector<RelationId>& sources, std::string* options);

// After the metadata of `tview` were written: it, those that it reads and those that read it have
// to be in one lane, there may not be too many lanes, and a durable feed is written by the main
// one.
absl::Status CheckLane(RelationId tview);

// Says that a target which has been set for `tview` slows others down, where it is in the main
// lane.
absl::Status TellOfSharedTarget(RelationId tview);

// Moves `tview`, and all that it hangs together with. REQUIRES: it is locked against other DDL.
absl::Status MoveToLane(RelationId tview, const std::string& lane);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_LANES_H_
