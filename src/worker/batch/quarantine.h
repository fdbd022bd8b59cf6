// Keys whose documents cannot be computed: the dead-letter table.
//
// Layer:   worker
// Sharing: tables; written in the batch's transaction
// Errors:  returns Status
//
// A key in quarantine keeps its last good document. It leaves the table when a refresh of it
// succeeds: when it is touched again, or on pg_tviews_retry. A TVIEW that failed as a whole
// (a privilege lost, an incompatible view) is marked and left alone until pg_tviews_retry.

#ifndef PG_TVIEWS_WORKER_BATCH_QUARANTINE_H_
#define PG_TVIEWS_WORKER_BATCH_QUARANTINE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/tview_definition.h"
#include "worker/core/cascade.h"

namespace tviews::worker {

// True if the error concerns the definition rather than rows: no key of it can be refreshed.
bool ConcernsDefinition(const absl::Status& error);

// Records the failure of one key.
absl::Status QuarantineKey(const TviewDefinition& tview, const std::string& key_image,
                           const absl::Status& error);

// Records the failure of the TVIEW as a whole and marks it.
absl::Status QuarantineWhole(const TviewDefinition& tview, const absl::Status& error);

// Removes what a successful refresh of these keys has healed.
absl::Status Heal(const TviewDefinition& tview, const AffectedKeys& refreshed);

// Removes keys that are in quarantine from `keys`.
absl::Status RemoveQuarantined(const TviewDefinition& tview, AffectedKeys* keys);

// True if any TVIEW of the database has something in quarantine, as the active snapshot sees it.
absl::StatusOr<bool> AnythingInQuarantine();

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_QUARANTINE_H_
