// What a reader is told where waiting does not bring a TVIEW up: an error in `strict`, a WARNING
// otherwise.
//
// Layer:   backend
// Sharing: private to one process; reads the extension's own tables
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_READING_COMPLAINTS_H_
#define PG_TVIEWS_BACKEND_READING_COMPLAINTS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/reading/plan_reads.h"
#include "backend/reading/waiting.h"

namespace tviews::backend {

// True where the session reads with pg_tviews.read_consistency = strict.
bool IsStrict();

// True, and told, where library and SQL objects are of different versions: no batch is applied.
absl::StatusOr<bool> VersionsDiffer();

// How a wait ended; OK if the statement may go on.
absl::Status ReportEnd(Waited waited);

// What a statement reads; asked again after the wait, when catalogs may have changed.
using Look = absl::FunctionRef<absl::StatusOr<ReadTviews>()>;

// After the wait: which of these are left behind, in quarantine, or could not be adopted.
absl::Status ReportStandstill(Look look);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_COMPLAINTS_H_
