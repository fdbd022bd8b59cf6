// What a process of ours shows as its wait event.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail
//
// From PostgreSQL 17 on each has a name, of type Extension; before, all are "Extension".

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_WAIT_EVENTS_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_WAIT_EVENTS_H_

#include <cstdint>

namespace tviews::pg {

enum class Wait : std::uint8_t {
  kLauncherMain,    // PgTviewsLauncherMain: the launcher has nothing to do
  kApplierMain,     // PgTviewsApplierMain: an applier has nothing to do
  kApplierBackOff,  // PgTviewsApplierBackOff: a batch failed and is repeated in a moment
  kFrontier,        // PgTviewsFrontier: a session waits for its changes to be applied
  kEndOfBatch,      // PgTviewsEndOfBatch: pg_tviews_pause() waits for the batch that runs
  kEndOfApplier,    // PgTviewsEndOfApplier: a command wants the database without its applier
};

// For WaitLatch and the like. REQUIRES: a process with shared memory; may allocate and raise at its
// first use.
std::uint32_t WaitEvent(Wait wait);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_WAIT_EVENTS_H_
