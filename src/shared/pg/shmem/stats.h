// Statistics per TVIEW in shared memory, since the server started or since they were reset.
//
// Layer:   pg
// Sharing: shared memory, StatsTable.lock
// Errors:  cannot fail
//
// clang-format off
// field                   written by            read by               under
// StatsTable.ids[i]       appliers, sessions    everybody             lock, exclusive to write
//                           that wait; reset
// StatsTable.evicted      the same              monitoring            atomic
// entries[i]              the applier of the    monitoring            lock, shared: atomics;
//                           database; sessions                          exclusive to clear
//                           their waits
// clang-format on
//
// (1) The table has pg_tviews.stats_tviews entries. When it is full, a TVIEW that has none takes
//     the entry of the one that was refreshed longest ago, and `evicted` counts it.
// (2) Appliers count what they do, each for its own database, sessions how long they have waited.

#ifndef PG_TVIEWS_SHARED_PG_SHMEM_STATS_H_
#define PG_TVIEWS_SHARED_PG_SHMEM_STATS_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "shared/histogram.h"
#include "shared/pg/shmem/lock.h"
#include "shared/shared_counter.h"
#include "shared/shared_field.h"
#include "shared/types.h"

namespace tviews::pg {

struct TviewStats {
  SharedCounter refreshes;
  SharedCounter full_refreshes;
  SharedCounter errors;  // keys, or the whole TVIEW, whose refresh failed
  SharedCounter keys;
  SharedCounter inserted;
  SharedCounter updated;
  SharedCounter deleted;
  SharedCounter unchanged;
  SharedCounter total_us;  // of refreshes
  SharedCounter min_us;
  SharedCounter max_us;
  Histogram refresh_us;
  SharedCounter lags;  // refreshes that followed a change; the others were asked for
  SharedCounter total_lag_us;
  SharedCounter max_lag_us;
  Histogram lag_us;
  SharedCounter audited;       // keys
  SharedCounter differences;   // rows that the audit repaired
  SharedCounter audit_rounds;  // ends of the TVIEW reached
  SharedCounter audits_given_up;
  SharedCounter audits_repeated;  // steps with a key that had been repaired before
  SharedCounter work_us;          // that batches were at it, those that failed included
  SharedCounter waits;            // of statements that read it
  SharedCounter total_wait_us;
  SharedCounter max_wait_us;
  SharedCounter
      others_us;  // of the waits, while the batch was at TVIEWs that the reader did not need
  Histogram wait_us;
  SharedCounter held_up;  // waits of readers of others during a refresh of it
  SharedCounter held_up_us;
  SharedCounter by_states;  // refreshes that read group states
  Shared<Timestamp> last_held_up;
  Shared<Timestamp> last_difference;
  Shared<Timestamp> last_refresh;
  Shared<Timestamp> since;  // when counting began
};

// One TVIEW's part of a committed batch.
struct RefreshSample {
  RelationId tview = 0;
  bool is_full = false;
  std::uint64_t keys = 0;
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t errors = 0;
  bool reads_states = false;
  std::uint64_t duration_us = 0;
  // When the oldest change record was written that led to this refresh; 0 if none did.
  Timestamp changed_at = 0;
};

// One step of the auditor.
struct AuditSample {
  RelationId tview = 0;
  std::uint64_t keys = 0;
  std::uint64_t differences = 0;
  std::uint64_t rounds = 0;
  std::uint64_t given_up = 0;
  bool is_repeated = false;  // a key differs again
};

// A statement has waited for a TVIEW that it reads.
struct WaitSample {
  std::uint64_t duration_us = 0;
  std::uint64_t others_us = 0;
};

// Pieces of work shorter than that hold nobody up.
inline constexpr std::uint64_t kLeastHeldUpUs = 1000;

struct StatsTable {
  SharedLock lock TVIEWS_SHARED(own_locking);
  std::int32_t size TVIEWS_SHARED(set_at_start);
  SharedCounter evicted;
  // Database and TVIEW; 0: free.
  SharedCounter* ids TVIEWS_SHARED(set_at_start) ABSL_PT_GUARDED_BY(lock);
  TviewStats* entries TVIEWS_SHARED(set_at_start) ABSL_PT_GUARDED_BY(lock);
};

static_assert(std::is_trivially_copyable_v<StatsTable>);
static_assert(std::is_standard_layout_v<TviewStats>);

namespace stats {

// Bytes for the table, and its initial state over zeroed memory.
std::size_t MemorySize();
StatsTable* Format(void* memory, struct LWLock* lock);

// Counts what the batch that was committed `now` did.
void Count(DatabaseId database, const std::vector<RefreshSample>& samples, Timestamp now) noexcept;

void CountAudit(DatabaseId database, const AuditSample& sample, Timestamp now) noexcept;

// A batch was at the TVIEW for so long, whatever became of the batch.
void CountWork(DatabaseId database, RelationId tview, std::uint64_t duration_us,
               Timestamp now) noexcept;

void CountWait(DatabaseId database, RelationId tview, const WaitSample& sample,
               Timestamp now) noexcept;

// So many readers of others waited meanwhile, so long in all.
void CountHeldUp(DatabaseId database, RelationId tview, std::uint64_t readers,
                 std::uint64_t total_us, Timestamp now) noexcept;

// True if the audit has met a key of the TVIEW again that it had repaired.
bool HasRepeatedDifferences(DatabaseId database, RelationId tview) noexcept;

// Copies the entry at `place` (below StatsTable.size) and returns its TVIEW; 0 if it belongs to
// another database, or to none.
RelationId Copy(std::int32_t place, DatabaseId database, TviewStats* copy) noexcept;

// Begins again for one TVIEW, or, with 0, for all of the database.
void Reset(DatabaseId database, RelationId tview, Timestamp now) noexcept;

// Frees the entries of TVIEWs of `database` that are not among `tviews` (ascending).
void Keep(DatabaseId database, const std::vector<RelationId>& tviews) noexcept;

}  // namespace stats
}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SHMEM_STATS_H_
