// Rows that a statement reads by name: an ephemeral named relation made of value images.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// Unlike arrays it carries any type, arrays included, with typmod and collation (LINEAGE H).

#ifndef PG_TVIEWS_WORKER_REFRESH_NAMED_ROWS_H_
#define PG_TVIEWS_WORKER_REFRESH_NAMED_ROWS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/delta.h"
#include "shared/tview_definition.h"
#include "shared/types.h"

struct TupleDescData;

namespace tviews::worker {

// The delta of `source` with the given columns, called c<attribute>, typed as the table has them
// now. In the current memory context.
absl::StatusOr<TupleDescData*> DescribeDelta(RelationId source,
                                             const std::vector<CapturedColumn>& columns);

// The same with a weight after them, called w.
absl::StatusOr<TupleDescData*> DescribeImages(RelationId source,
                                              const std::vector<CapturedColumn>& columns);

// The columns `part` of the key of `tview`, called as KeyFieldName (refresh_plan.h) says.
absl::StatusOr<TupleDescData*> DescribeKeys(const TviewDefinition& tview,
                                            const std::vector<std::size_t>& part);

// Registers the rows under `name` with the current SPI connection. Each row holds the fields of
// `descriptor`'s columns (source_key.h). `expected_rows` is what the planner is told: statements
// planned under one estimate are kept for others of the same magnitude.
absl::Status RegisterRows(const char* name, TupleDescData* descriptor,
                          const std::vector<std::string>& rows, std::size_t expected_rows);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_NAMED_ROWS_H_
