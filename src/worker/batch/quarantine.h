// Keys whose documents cannot be computed: the dead-letter table.
//
// Layer:   worker
// Sharing: tables; written in the batch's transaction
// Errors:  returns Status
//
// A key in quarantine keeps its last good document. It leaves the table when a refresh of it
// succeeds: when it is touched again, or on pg_tviews_retry. A TVIEW that failed as a whole
// (a privilege lost, an incompatible view) is marked and left alone until pg_tviews_retry.
// Whatever the key is, it can be put into quarantine: letters hold images (dead_letter.h).

#ifndef PG_TVIEWS_WORKER_BATCH_QUARANTINE_H_
#define PG_TVIEWS_WORKER_BATCH_QUARANTINE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/tview_definition.h"
#include "worker/core/cascade.h"
#include "worker/core/standings.h"

namespace tviews::worker {

// True if the error may concern the definition rather than a row, as of want of an object or of a
// privilege: then no key of it can be refreshed.
bool MayConcernDefinition(const absl::Status& error);

// The key as dead letters show it: as text, shortened.
absl::StatusOr<std::string> NameOfKey(const TviewDefinition& tview, const std::string& image);

// Records the failure of one key.
absl::Status QuarantineKey(const TviewDefinition& tview, const std::string& key_image,
                           const absl::Status& error);

// Records that the defining query returns rows whose key is null, or that this cannot be told.
absl::Status QuarantineNullKey(const TviewDefinition& tview, const absl::Status& error);

// Records the failure of the TVIEW as a whole and marks it.
absl::Status QuarantineWhole(const TviewDefinition& tview, const absl::Status& error);

// Removes what a successful refresh of these keys has healed.
absl::Status HealKeys(const TviewDefinition& tview, const AffectedKeys& refreshed);
absl::Status HealNullKey(const TviewDefinition& tview);

// Keys that cannot be computed, and whether the query returns rows whose key is null.
struct SickKeys {
  std::vector<std::string> images;
  bool has_null_key = false;
};

// Removes what a successful comparison of the whole TVIEW has healed: everything, or all but these.
absl::Status HealAll(const TviewDefinition& tview);
absl::Status HealAllBut(const TviewDefinition& tview, const SickKeys& failing);

// Marks the TVIEW as one that does not fail as a whole.
absl::Status HealWhole(const TviewDefinition& tview);

// Adds keys that are in quarantine to `keys`, as far as their values are known; removes them.
absl::Status AddQuarantined(const TviewDefinition& tview, AffectedKeys* keys);
absl::Status RemoveQuarantined(const TviewDefinition& tview, AffectedKeys* keys);

// Tells `standings` whether any TVIEW of the database has something in quarantine, as the active
// snapshot sees it.
absl::Status NoteQuarantine(Standings* standings);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_QUARANTINE_H_
