// What lies in the shared memory segment between the applier and its helpers.
//
// Layer:   worker
// Sharing: shared memory; the atomics, and `failure`, are the only fields that change
// Errors:  cannot fail
//
// | part | written by | read by |
// |---|---|---|
// | HelperShared | applier, before helpers start | helpers |
// | next, finished | whoever takes, or has computed, a slice | the same; applier at the end |
// | failure | the first helper that fails, before it sets has_failure | applier, after that |
// | task, snapshot | applier, before helpers start | helpers |
// | queues, kQueueSize bytes each | helper of that number | applier |

#ifndef PG_TVIEWS_WORKER_HELPERS_HELPER_SEGMENT_H_
#define PG_TVIEWS_WORKER_HELPERS_HELPER_SEGMENT_H_

#include <cstddef>
#include <cstdint>

#include "shared/pg/boundary/guard.h"
#include "shared/shared_counter.h"
#include "shared/shared_field.h"
#include "shared/types.h"

struct PGPROC;

namespace tviews::worker {

inline constexpr std::uint64_t kSegmentMagic = 0x7476696577686c70;  // of the table of contents
inline constexpr std::uint64_t kSharedKey = 1;
inline constexpr std::uint64_t kTaskKey = 2;
inline constexpr std::uint64_t kSnapshotKey = 3;
inline constexpr std::uint64_t kQueuesKey = 4;
inline constexpr std::size_t kQueueSize = 1024 * 1024;

struct HelperShared {
  SharedFlag next;      // the slice that nobody has taken yet
  SharedFlag finished;  // slices whose rows have all been sent or written
  SharedFlag failures;  // how many helpers have failed
  SharedFlag has_failure;
  pg::Failure failure TVIEWS_SHARED(handed_over);
  std::uint32_t slices TVIEWS_SHARED(set_at_birth);
  std::uint32_t task_size TVIEWS_SHARED(set_at_birth);  // bytes
  Oid32 database TVIEWS_SHARED(set_at_birth);
  PGPROC* applier TVIEWS_SHARED(set_at_birth);
  std::int32_t applier_pid TVIEWS_SHARED(set_at_birth);
  Timestamp frontier_time TVIEWS_SHARED(set_at_birth);  // what now() is for the batch

  std::uint32_t TakeSlice() { return next.Add(1) - 1; }
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_HELPERS_HELPER_SEGMENT_H_
