// Stopping the applier of this database for a while, and letting it go on.
//
// Layer:   backend
// Sharing: shared memory (DatabaseSlot.paused, under queue_lock)
// Errors:  returns Status; interruptible
//
// While paused no batch begins: changes stay in the outbox and in the queue, and whoever waits for
// them waits on, after a WARNING. The flag lasts until it is taken back or the server restarts,
// because a paused slot is never freed.

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_PAUSING_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_PAUSING_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/shmem/database_slot.h"

namespace tviews::backend {

// Returns when no batch is running and none will begin, of any lane or of the one that is named.
// False if it was paused already.
absl::StatusOr<bool> PauseApplying(const std::optional<std::string>& lane);

// False if it was not paused.
absl::StatusOr<bool> ResumeApplying(const std::optional<std::string>& lane);

// A WARNING to a session that is about to wait for `slot`, if it is paused. Raises where the client
// is gone.
void WarnIfPaused(const pg::DatabaseSlot& slot);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_PAUSING_H_
