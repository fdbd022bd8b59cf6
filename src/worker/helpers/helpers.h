// Large batches: helper processes recompute slices of the keys, the applier alone writes.
//
// Layer:   worker
// Sharing: one shared memory segment per use, between the applier and its helpers
// Errors:  returns Status; the caller's rollback ends the helpers
//
// A helper is a background worker that imports the applier's snapshot and works as the TVIEW's
// owner, in the applier's lock group. It does not see what the applier's transaction has written
// (ATTACKS A16). The applier computes too, and writes all rows: its own at once, the helpers' as
// they come, each through a queue of its own. Everybody takes the next slice until none is left.
//
// (1) Every slice was computed to its end; otherwise the batch fails, with the helper's error.

#ifndef PG_TVIEWS_WORKER_HELPERS_HELPERS_H_
#define PG_TVIEWS_WORKER_HELPERS_HELPERS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/refresh_plan.h"
#include "shared/tview_definition.h"
#include "worker/refresh/statement_cache.h"

struct _DestReceiver;

namespace tviews::worker {

// How many helpers so many keys are enough for, on this machine's cores; 0: none.
int HelpersFor(std::size_t keys);

// True if `helpers` are expected to end sooner than the applier alone, by the planner's cost of a
// key when it computes all of them and when it computes a slice. What starting a process and
// handing on a row cost is for the server's parallel_setup_cost and parallel_tuple_cost to say.
bool IsWorthSharing(std::size_t keys, int helpers, double cost_alone, double cost_in_slice);

// How many slices so many keys are cut into.
std::size_t SlicesFor(std::size_t keys, int helpers);

// RunKeys (key_statement.h) with `helpers` processes. False: none could be started, and nothing
// has happened. REQUIRES: as RunKeys; IsParallelSafe says yes; this transaction has written to no
// source of `tview`.
absl::StatusOr<bool> RunKeysWithHelpers(const TviewDefinition& tview,
                                        const std::vector<std::string>& keys, RefreshShape shape,
                                        int helpers, StatementCache* statements,
                                        _DestReceiver* destination);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_HELPERS_HELPERS_H_
