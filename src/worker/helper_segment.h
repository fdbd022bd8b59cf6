// What lies in the shared memory segment between the applier and its helpers.
//
// Layer:   worker
// Sharing: shared memory; the atomics are the only fields that change
// Errors:  cannot fail
//
// | part | written by | read by |
// |---|---|---|
// | task: HelperProgress and the bytes of a HelperTask | applier, before helpers start | helpers |
// | next, finished | whoever takes, or has computed, a slice | the same; applier at the end |
// | queues, kQueueSize bytes each | helper of that number | applier |

#ifndef PG_TVIEWS_WORKER_HELPER_SEGMENT_H_
#define PG_TVIEWS_WORKER_HELPER_SEGMENT_H_

#include <cstddef>
#include <cstdint>

#include "shared/shared_counter.h"

namespace tviews::worker {

inline constexpr std::uint64_t kTaskKey = 1;
inline constexpr std::uint64_t kQueuesKey = 2;
inline constexpr std::size_t kQueueSize = 1024 * 1024;

struct HelperProgress {
  SharedFlag next;      // the slice that nobody has taken yet
  SharedFlag finished;  // slices whose rows have all been sent or kept
  std::uint32_t slices;
  std::uint32_t task_size;  // bytes, right behind this struct

  std::uint32_t TakeSlice() { return next.Add(1) - 1; }
  char* task() { return reinterpret_cast<char*>(this + 1); }
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_HELPER_SEGMENT_H_
