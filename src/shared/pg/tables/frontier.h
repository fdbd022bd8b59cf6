// The stored frontier: the one row of pg_tview_frontier.
//
// Layer:   pg
// Sharing: a table; written by the applier in the batch's transaction
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_TABLES_FRONTIER_H_
#define PG_TVIEWS_SHARED_PG_TABLES_FRONTIER_H_

#include <cstdint>

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

// Replaces the row that `snapshot` sees. No executor: one heap update, in place on its page. `time`
// is what now() is in definitions.
absl::Status StoreFrontier(SnapshotData* snapshot, const SnapshotBounds& frontier, Timestamp time,
                           const BatchTotals& totals);

// The frontier's time that `snapshot` sees; 0 before there is one.
absl::StatusOr<Timestamp> ReadFrontierTime(SnapshotData* snapshot);

// The frontier that `snapshot` sees; empty bounds, which include nothing, before the first batch.
absl::StatusOr<SnapshotBounds> ReadFrontier(SnapshotData* snapshot);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_FRONTIER_H_
