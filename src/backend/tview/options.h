// Options of a TVIEW beside its definition: pg_tviews.notify, pg_tviews.feed,
// pg_tviews.refresh_timeout, pg_tviews.refresh_memory, pg_tviews.function_reads,
// pg_tviews.clock_period, pg_tviews.group_state, pg_tviews.lane and pg_tviews.lag_target.
//
// Layer:   backend
// Sharing: private to one process; pg_tview_meta.options
// Errors:  returns Status
//
// Given at creation, CREATE TABLE ... WITH (pg_tviews.notify = on), and changed by ALTER TABLE ...
// SET and RESET. The batches that see the change obey it, the ones before do not.

#ifndef PG_TVIEWS_BACKEND_TVIEW_OPTIONS_H_
#define PG_TVIEWS_BACKEND_TVIEW_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct DefElem;
struct List;
struct Node;

namespace tviews::backend {

// True for an option of the name space pg_tviews.
bool IsTviewOption(const DefElem* option);

// The option as a member of pg_tview_meta.options, "\"notify\": true"; an empty string if there is
// none of this name.
absl::StatusOr<std::string> TviewOptionAsJson(const DefElem* option);

// 22023 where an option before the one at `place` has its name.
absl::Status CheckIsOnce(const List* options, int place);

// True if the statement was an ALTER TABLE that sets or resets options of a TVIEW, which it then
// has done.
absl::StatusOr<bool> AlterTviewOptions(const Node* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_OPTIONS_H_
