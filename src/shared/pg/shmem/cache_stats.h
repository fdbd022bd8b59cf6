// What the caches of all processes hold and how they do, summed up by kind of process.
//
// Layer:   pg
// Sharing: shared memory, atomics; each process counts for itself and adds its part now and then
// Errors:  cannot fail
//
// clang-format off
// field                      written by          read by       under
// counts[process][cache]     every process       monitoring    atomic
// clang-format on
//
// (1) Entries and sizes are those of living processes: one that ends takes its part out.
// (2) Counting is a plain addition; Flush() adds up at the end of a transaction or a batch.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_CACHE_STATS_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_CACHE_STATS_H_

#include <cstddef>
#include <cstdint>

#include "shared/shared_counter.h"

namespace tviews::pg {

enum class Process : std::uint8_t { kSession, kApplier, kHelper };
inline constexpr int kProcesses = 3;

enum class CacheKind : std::uint8_t {
  kGraph,  // what TVIEWs need of a table that the process writes
  kTable,  // which tables are TVIEWs, and which views are theirs
  kPlan,   // prepared statements of refreshes and lookups
};
inline constexpr int kCaches = 3;

struct CacheCounts {
  Shared<std::int64_t> entries;
  Shared<std::int64_t> bytes;
  SharedCounter hits;
  SharedCounter misses;
  SharedCounter evictions;
};

struct CacheTable {
  CacheCounts counts[kProcesses][kCaches];
};

namespace cache_stats {

// What this process is; a session until it says something else.
void SetProcess(Process process) noexcept;

void Hit(CacheKind cache) noexcept;
void Miss(CacheKind cache) noexcept;
void Evict(CacheKind cache) noexcept;
// What this process's cache holds now.
void SetSize(CacheKind cache, std::size_t entries, std::size_t bytes) noexcept;

void Flush() noexcept;

}  // namespace cache_stats
}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_CACHE_STATS_H_
