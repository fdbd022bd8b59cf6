// Large batches: helper processes recompute slices of the keys, the applier alone writes.
//
// Layer:   worker
// Sharing: one shared memory segment per use, between the applier and its helpers
// Errors:  returns Status; the caller's rollback ends the helpers
//
// Helpers are the server's parallel workers: they work under the applier's snapshot, as its user,
// and see what its transaction has written, so TVIEWs that read other TVIEWs need no exception.
// The applier computes too. Everybody takes the next slice until none is left; helpers send their
// rows through a queue each. While helpers live the server lets nobody write: the rows are kept,
// and handed on after the last helper has ended.
//
// (1) Rows are handed on only if every slice was computed to its end; otherwise the batch fails.

#ifndef PG_TVIEWS_WORKER_HELPERS_H_
#define PG_TVIEWS_WORKER_HELPERS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/refresh_plan.h"
#include "shared/tview_definition.h"
#include "worker/statement_cache.h"

struct _DestReceiver;

namespace tviews::worker {

// How many helpers so many keys are enough for; 0: none.
int HelpersFor(std::size_t keys);

// True if `helpers` are expected to end sooner than the applier alone, by the planner's cost of a
// key when it computes all of them and when it computes a slice. What starting a process and
// handing on a row cost is for the server's parallel_setup_cost and parallel_tuple_cost to say.
bool IsWorthSharing(std::size_t keys, int helpers, double cost_alone, double cost_in_slice);

// How many slices so many keys are cut into.
std::size_t SlicesFor(std::size_t keys, int helpers);

// RunKeys (key_statement.h) with `helpers` processes. False: none could be started, and nothing
// has happened. REQUIRES: as RunKeys; IsParallelSafe says yes.
absl::StatusOr<bool> RunKeysWithHelpers(const TviewDefinition& tview,
                                        const std::vector<std::string>& keys, RefreshShape shape,
                                        int helpers, StatementCache* statements,
                                        _DestReceiver* destination);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_HELPERS_H_
