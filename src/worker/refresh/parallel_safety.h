// Whether a query may be computed in a helper process.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// A helper runs whole statements, so what only forbids splitting one (subqueries that refer to an
// outer query, window functions) does no harm. Not safe are functions that are not marked PARALLEL
// SAFE, foreign tables (another connection sees another snapshot), temporary tables, and domains,
// whose checks may call anything.

#ifndef PG_TVIEWS_WORKER_REFRESH_PARALLEL_SAFETY_H_
#define PG_TVIEWS_WORKER_REFRESH_PARALLEL_SAFETY_H_

#include <string>

#include "absl/status/statusor.h"

namespace tviews::worker {

// REQUIRES: an SPI connection is open; the relations that the query reads are locked.
absl::StatusOr<bool> IsParallelSafe(const std::string& sql);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_PARALLEL_SAFETY_H_
