// The applier's part in adopting TVIEWs that came from elsewhere (ATTACKS A18, A22).
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// Whether there is something to adopt is asked when metadata has changed; adopting itself is DDL
// and done by the extension's function pg_tviews_adopt(). What is not ready is tried again with
// growing pauses: a restore may be under way.

#ifndef PG_TVIEWS_WORKER_BATCH_ADOPTION_H_
#define PG_TVIEWS_WORKER_BATCH_ADOPTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "shared/types.h"
#include "worker/core/back_off.h"

namespace tviews::worker {

// True if the database has tables to adopt, or TVIEWs without a label. In a transaction of its own.
absl::StatusOr<bool> NeedsAdoption();

class Adoption {
 public:
  // True if it is time to look, or to try again.
  bool IsDue() const;
  // Adopts what is ready.
  absl::Status Run();

  // True while tables wait to be adopted: the applier stays and polls.
  bool is_pending() const { return is_pending_; }
  // Milliseconds until the next try.
  long NapMs() const;

 private:
  std::uint64_t seen_generation_ = 0;  // of the catalog, at the last look
  bool is_pending_ = false;
  BackOff back_off_{{.first = 100000, .longest = 3000000}};
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_ADOPTION_H_
