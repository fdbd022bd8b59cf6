// Runs the statement that recomputes a set of keys.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_REFRESH_KEY_STATEMENT_H_
#define PG_TVIEWS_WORKER_REFRESH_KEY_STATEMENT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shared/refresh_plan.h"
#include "shared/tview_definition.h"
#include "worker/refresh/statement_cache.h"

struct _DestReceiver;

namespace tviews::worker {

// Sends the documents of `keys` to `destination`, under the active snapshot. REQUIRES: an SPI
// connection is open; the user is the TVIEW's owner; `keys` is not empty.
absl::Status RunKeys(const TviewDefinition& tview, const std::vector<std::string>& keys,
                     RefreshShape shape, StatementCache* statements, _DestReceiver* destination);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_KEY_STATEMENT_H_
