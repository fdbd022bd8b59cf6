// What the caches of all processes hold: the function below pg_tviews_cache_stats.
//
// Layer:   backend
// Sharing: reads shared memory, atomics
// Errors:  raise through pg::Enter

#include "backend/functions/row_output.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>

PG_FUNCTION_INFO_V1(tviews_caches);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

constexpr const char* kProcessNames[pg::kProcesses] = {"session", "applier", "helper"};
constexpr const char* kCacheNames[pg::kCaches] = {"graph_cache", "table_cache", "plan_cache"};

// Not every kind of process has every cache, and some never run: what none has used is no row.
void PutCache(const backend::RowOutput& output, int process, int cache) {
  const pg::CacheCounts& counts = pg::Caches()->counts[process][cache];
  if (counts.hits.Load() + counts.misses.Load() == 0 && counts.entries.Load() == 0) return;
  backend::Row row;
  row.PutText(kCacheNames[cache]);
  row.PutText(kProcessNames[process]);
  row.PutNumber(static_cast<std::uint64_t>(counts.entries.Load()));
  row.PutNumber(static_cast<std::uint64_t>(counts.bytes.Load()));
  row.PutNumber(counts.hits);
  row.PutNumber(counts.misses);
  row.PutNumber(counts.evictions);
  row.Store(output);
}

}  // namespace

TVIEWS_EXPORT Datum tviews_caches(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const backend::RowOutput output, backend::RowOutput::Open(fcinfo));
    for (int process = 0; process < pg::kProcesses; ++process) {
      for (int cache = 0; cache < pg::kCaches; ++cache) {
        TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutCache(output, process, cache); }));
      }
    }
    return Datum{0};
  });
}
