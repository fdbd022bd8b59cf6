// Hands the rows of a query to C++, as they are or as keys.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  returns Status; what a visitor returns ends the query

#ifndef PG_TVIEWS_WORKER_REFRESH_KEY_ROWS_H_
#define PG_TVIEWS_WORKER_REFRESH_KEY_ROWS_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "shared/tview_definition.h"

struct TupleTableSlot;
struct _DestReceiver;

namespace tviews::worker {

using RunQuery = absl::FunctionRef<absl::Status(_DestReceiver* destination)>;

// Calls `run` with a destination that calls `visit` with every row it is sent.
absl::Status VisitRows(absl::FunctionRef<absl::Status(TupleTableSlot*)> visit, RunQuery run);

// The same for rows that are keys of `tview`, or, where `part` is not empty, these columns of a
// key: calls `emit` with the image of the key, or with the part as a source key; with nothing where
// a column of it is NULL.
absl::Status VisitKeys(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                       absl::FunctionRef<void(std::optional<std::string_view>)> emit, RunQuery run);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_KEY_ROWS_H_
