// Comparing a TVIEW with its query, exactly, also under load.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Every committed change is either in the TVIEWs or in the outbox. So a snapshot that sees an empty
// outbox sees TVIEWs that stand exactly at it, and under that snapshot a TVIEW must equal its
// query. Under load such snapshots are rare but there: they are tried one after the other for a
// while.

#ifndef PG_TVIEWS_BACKEND_TVIEW_VERIFY_H_
#define PG_TVIEWS_BACKEND_TVIEW_VERIFY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/pg/boundary/spi.h"

namespace tviews::backend {

// The rows in which the TVIEW called `text` and its query differ: key, difference (missing, extra,
// different, duplicate key, null key), the stored and the expected row as JSON. Rows are compared
// by image, which is stricter than `=`. Then the groups in which its group states differ.
absl::StatusOr<std::vector<pg::SqlRow>> VerifyTview(const std::string& text);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_VERIFY_H_
