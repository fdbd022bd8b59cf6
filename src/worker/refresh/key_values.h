// Affected keys in the forms that statements take them.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_
#define PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "shared/pg/server/datum_image.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/cascade.h"
#include "worker/refresh/statement_cache.h"

namespace tviews::worker {

// The keys' images in an order in which neighbours tend to stand on the same pages.
std::vector<std::string> SortKeys(const AffectedKeys& affected, TypeId type);

// True if the keys, sorted, are integers that leave few gaps: a range hardly holds others.
bool AreDense(const std::vector<std::string>& keys, TypeId type);

// Leaves one of the keys that are equal under the TVIEW's equality: they name one row, which a
// batch writes once (LINEAGE 19).
absl::StatusOr<AffectedKeys> MergeEqualKeys(const TviewDefinition& tview, AffectedKeys affected);

// True for each of `texts`, keys as text, that is equal to one of the keys `images`.
absl::StatusOr<std::vector<bool>> AreAmong(const TviewDefinition& tview,
                                           const std::vector<std::string>& texts,
                                           const absl::flat_hash_set<std::string>& images);

// One row of one field per image, for RegisterRows (named_rows.h).
std::vector<std::string> KeyRows(const std::vector<std::string>& images);

// An array of the keys, or of their bounds (the first and the last), in the current memory context.
// REQUIRES: the type has an array type.
absl::StatusOr<StatementParameter> KeyArray(const std::vector<std::string>& images, TypeId type,
                                            pg::TypeShape shape);
absl::StatusOr<StatementParameter> KeyBounds(const std::vector<std::string>& images, TypeId type,
                                             pg::TypeShape shape);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_
