// The end of an online replacement: the shadow's rows become those of the TVIEW.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status; nothing is left behind, because the (sub)transaction is rolled back
//
// One transaction, which reads no row: the table is emptied, gets the columns and the key of the
// new query, and exchanges its files with the shadow's, which is then dropped. What hangs on the
// table's OID stays. Rows need not be compared, because both are kept by the same batches:
//
// (1) A TVIEW, and its shadow, either stand at their lane's frontier, or batches have left them
//     aside, and pg_tview_owed has what they lack.
// (2) The exchange holds ACCESS EXCLUSIVE locks on both, so neither is refreshed meanwhile. It
//     notes the frontier as that of a fill, so that readers wait for the first batch that sees it.
// (3) That batch gives the TVIEW what the shadow owes (worker/batch/exchanged.h): a batch without
//     the exchange may have left both aside, and its commit may be later.
// (4) Records of writers that do not see the exchange have what the new query needs: triggers
//     capture for the shadow from the beginning.

#ifndef PG_TVIEWS_BACKEND_TVIEW_SHADOW_EXCHANGE_H_
#define PG_TVIEWS_BACKEND_TVIEW_SHADOW_EXCHANGE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Fails as the replacement of `tview` would fail for what reads it, and changes nothing.
absl::Status TryReplacement(RelationId tview);

// Completes the replacement of the TVIEW that the user calls `text`; returns its name.
absl::StatusOr<std::string> FinishReplacement(const std::string& text);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_SHADOW_EXCHANGE_H_
