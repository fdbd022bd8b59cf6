// What lanes other than the main one are owed: changes that the main lane has taken out of the
// outbox, and that the lane has not applied yet.
//
// Layer:   pg
// Sharing: a table; written and deleted by appliers (worker/batch/lane_handover.h)
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_TABLES_LANE_OWED_H_
#define PG_TVIEWS_SHARED_PG_TABLES_LANE_OWED_H_

#include <string>

#include "absl/status/statusor.h"

struct SnapshotData;

namespace tviews::pg {

// True if `snapshot` sees a row of `lane`. No privileges are asked for.
absl::StatusOr<bool> LaneIsOwed(SnapshotData* snapshot, const std::string& lane);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_LANE_OWED_H_
