// A bound for the memory that a refresh takes.
//
// Layer:   worker
// Sharing: the limits of this process
// Errors:  cannot fail; beyond the bound the server's and the library's allocations do, with 53200
//
// The kernel counts (RLIMIT_DATA), so it holds for everything that a definition may call, of the
// server, of a language or of another extension. Where the kernel does not tell how much a process
// has, there is no bound.

#ifndef PG_TVIEWS_WORKER_REFRESH_MEMORY_LIMIT_H_
#define PG_TVIEWS_WORKER_REFRESH_MEMORY_LIMIT_H_

#include <cstdint>

#include "shared/types.h"

namespace tviews::worker {

// Bytes of data that the process has; 0: not known. Measured once a second at most: what a process
// leaves in use grows slowly.
class DataSize {
 public:
  std::uint64_t At(Timestamp now) noexcept;

 private:
  std::uint64_t bytes_ = 0;
  Timestamp measured_at_ = 0;
};

class MemoryLimit {
 public:
  // At most `more` bytes beyond `in_use`, while the object lives. No bound if one of them is 0.
  MemoryLimit(std::uint64_t in_use, std::uint64_t more) noexcept;
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit();

 private:
  bool is_set_ = false;
  std::uint64_t previous_ = 0;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_MEMORY_LIMIT_H_
