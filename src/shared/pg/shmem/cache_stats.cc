#include "shared/pg/shmem/cache_stats.h"

#include "shared/pg/shmem/shmem.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/ipc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg::cache_stats {
namespace {

// Of this process, since the last Flush.
struct Local {
  std::int64_t entries;
  std::int64_t bytes;
  std::int64_t flushed_entries;
  std::int64_t flushed_bytes;
  std::uint64_t hits;
  std::uint64_t misses;
  std::uint64_t evictions;
};

Local locals[kCaches];
Process process = Process::kSession;
bool is_dirty = false;
bool has_exit_callback = false;

Local& LocalOf(CacheKind cache) {
  is_dirty = true;
  return locals[static_cast<int>(cache)];
}

void FlushOne(Local* local, CacheCounts* shared) {
  shared->entries.Add(local->entries - local->flushed_entries);
  shared->bytes.Add(local->bytes - local->flushed_bytes);
  local->flushed_entries = local->entries;
  local->flushed_bytes = local->bytes;
  if (local->hits > 0) shared->hits.Add(local->hits);
  if (local->misses > 0) shared->misses.Add(local->misses);
  if (local->evictions > 0) shared->evictions.Add(local->evictions);
  local->hits = local->misses = local->evictions = 0;
}

void OnExit(int, Datum) {
  for (Local& local : locals) local.entries = local.bytes = 0;
  is_dirty = true;
  Flush();
}

}  // namespace

void SetProcess(Process kind) noexcept { process = kind; }

void Hit(CacheKind cache) noexcept { ++LocalOf(cache).hits; }
void Miss(CacheKind cache) noexcept { ++LocalOf(cache).misses; }
void Evict(CacheKind cache) noexcept { ++LocalOf(cache).evictions; }

void SetSize(CacheKind cache, std::size_t entries, std::size_t bytes) noexcept {
  Local& local = LocalOf(cache);
  local.entries = static_cast<std::int64_t>(entries);
  local.bytes = static_cast<std::int64_t>(bytes);
}

void Flush() noexcept {
  if (!is_dirty || Caches() == nullptr) return;
  is_dirty = false;
  for (int i = 0; i < kCaches; ++i) {
    FlushOne(&locals[i], &Caches()->counts[static_cast<int>(process)][i]);
  }
  // The table of callbacks is of fixed size and has room for those that the server itself uses.
  if (!has_exit_callback) before_shmem_exit(OnExit, Datum{0});
  has_exit_callback = true;
}

}  // namespace tviews::pg::cache_stats
