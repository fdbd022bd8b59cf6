// Sets of columns of relations, and which of them a view reads.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_COLUMN_SET_H_
#define PG_TVIEWS_BACKEND_DDL_COLUMN_SET_H_

#include <set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

using Columns = std::set<std::pair<RelationId, AttributeNumber>>;

// True if the rule of `view` uses one of `columns`.
absl::StatusOr<bool> ReadsAny(RelationId view, const Columns& columns);

void AddAll(RelationId relation, const std::vector<AttributeNumber>& numbers, Columns* columns);

absl::StatusOr<std::vector<AttributeNumber>> AllColumns(RelationId relation);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_COLUMN_SET_H_
