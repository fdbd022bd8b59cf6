// The stored frontiers: pg_tview_frontier, a row per lane.
//
// Layer:   pg
// Sharing: a table; each row is written by its lane's applier, in the batch's transaction
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_TABLES_FRONTIER_H_
#define PG_TVIEWS_SHARED_PG_TABLES_FRONTIER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct SnapshotData;

namespace tviews::pg {

// What one batch adds to the cumulative counters.
struct BatchTotals {
  std::uint64_t records = 0;
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t full_refreshes = 0;
};

// Replaces the row of `lane` that `snapshot` sees. No executor: one heap update, in place on its
// page. The row of another lane than the main one is made where it is missing. `time` is what now()
// is in definitions.
absl::Status StoreFrontier(SnapshotData* snapshot, const std::string& lane,
                           const SnapshotBounds& frontier, Timestamp time,
                           const BatchTotals& totals);

// The time of the frontier of `lane` that `snapshot` sees; 0 before there is one.
absl::StatusOr<Timestamp> ReadFrontierTime(SnapshotData* snapshot, const std::string& lane);

// The latest of any lane: the time never goes back where a TVIEW moves.
absl::StatusOr<Timestamp> ReadLatestFrontierTime(SnapshotData* snapshot);

// The frontier of `lane` that `snapshot` sees; empty bounds, which include nothing, before its
// first batch.
absl::StatusOr<SnapshotBounds> ReadFrontier(SnapshotData* snapshot, const std::string& lane);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_FRONTIER_H_
