#include "shared/pg/shmem/stats.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/shmem.h"

namespace tviews::pg::stats {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr int kNone = -1;

std::size_t RoundUp(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

std::uint64_t IdOf(DatabaseId database, RelationId tview) {
  return (std::uint64_t{database} << 32) | tview;
}

DatabaseId DatabaseOf(std::uint64_t id) { return static_cast<DatabaseId>(id >> 32); }

// The place of `id`, or kNone. Entries stand where their own number says, or after that: a search
// that begins there is short.
int FindLocked(const StatsTable& table, std::uint64_t id, std::uint64_t near)
    ABSL_SHARED_LOCKS_REQUIRED(table.lock) {
  const int start = static_cast<int>(near % static_cast<std::uint64_t>(table.size));
  for (int i = 0; i < table.size; ++i) {
    const int place = (start + i) % table.size;
    if (table.ids[place].Load() == id) return place;
  }
  return kNone;
}

void ClearEntry(TviewStats* entry, Timestamp now) {
  std::memset(static_cast<void*>(entry), 0, sizeof(*entry));
  entry->since.Store(now);
}

// A free entry, or the one whose TVIEW was refreshed longest ago.
int FindRoomLocked(StatsTable& table, std::uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(table.lock) {
  if (const int free = FindLocked(table, 0, id); free != kNone) return free;
  const auto* const oldest = std::min_element(
      table.entries, table.entries + table.size, [](const TviewStats& a, const TviewStats& b) {
        return a.last_refresh.Load() < b.last_refresh.Load();
      });
  table.evicted.Add(1);
  return static_cast<int>(oldest - table.entries);
}

// Sessions raise the same counters.
void Raise(SharedCounter* counter, std::uint64_t to) {
  std::uint64_t seen = counter->Load();
  while (seen < to && !__atomic_compare_exchange_n(&counter->value, &seen, to, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
}

void CountInto(const RefreshSample& sample, Timestamp now, TviewStats* entry) {
  if (sample.reads_states) entry->by_states.Add(1);
  const bool is_first = entry->refreshes.Load() == 0;
  if (is_first || sample.duration_us < entry->min_us.Load()) {
    entry->min_us.Store(sample.duration_us);
  }
  Raise(&entry->max_us, sample.duration_us);
  entry->total_us.Add(sample.duration_us);
  entry->refresh_us.Add(sample.duration_us);
  entry->refreshes.Add(1);
  if (sample.is_full) entry->full_refreshes.Add(1);
  if (sample.errors > 0) entry->errors.Add(sample.errors);
  entry->keys.Add(sample.keys);
  entry->inserted.Add(sample.inserted);
  entry->updated.Add(sample.updated);
  entry->deleted.Add(sample.deleted);
  entry->unchanged.Add(sample.unchanged);
  entry->last_refresh.Store(now);
  if (sample.changed_at == 0) return;
  const auto lag = static_cast<std::uint64_t>(std::max<Timestamp>(now - sample.changed_at, 0));
  entry->lags.Add(1);
  entry->total_lag_us.Add(lag);
  entry->lag_us.Add(lag);
  Raise(&entry->max_lag_us, lag);
}

void CountAuditInto(const AuditSample& sample, Timestamp now, TviewStats* entry) {
  entry->audited.Add(sample.keys);
  entry->audit_rounds.Add(sample.rounds);
  entry->audits_given_up.Add(sample.given_up);
  if (sample.is_repeated) entry->audits_repeated.Add(1);
  if (sample.differences == 0) return;
  entry->differences.Add(sample.differences);
  entry->last_difference.Store(now);
}

// Calls `count` with the entry of `id`; false if it has none yet.
template <typename Count>
bool CountKnown(StatsTable& table, std::uint64_t id, const Count& count) {
  ReadHolder holder(table.lock);
  const int place = FindLocked(table, id, id);
  if (place == kNone) return false;
  count(&table.entries[place]);
  return true;
}

// With a new one, in which counting began at `since`, unless another process was faster.
template <typename Count>
void CountNew(StatsTable& table, std::uint64_t id, Timestamp since, const Count& count) {
  ExclusiveHolder holder(table.lock);
  if (const int known = FindLocked(table, id, id); known != kNone) {
    count(&table.entries[known]);
    return;
  }
  const int place = FindRoomLocked(table, id);
  ClearEntry(&table.entries[place], since);
  count(&table.entries[place]);
  table.ids[place].Store(id);
}

}  // namespace

std::size_t MemorySize() {
  const auto size = static_cast<std::size_t>(settings::stats_tviews);
  return RoundUp(sizeof(StatsTable)) + RoundUp(size * sizeof(SharedCounter)) +
         size * sizeof(TviewStats);
}

StatsTable* Format(void* memory, LWLock* lock) {
  char* const base = static_cast<char*>(memory);
  auto* const table = new (memory) StatsTable{};
  table->lock.Attach(lock);
  table->size = settings::stats_tviews;
  table->ids = reinterpret_cast<SharedCounter*>(base + RoundUp(sizeof(StatsTable)));
  table->entries = reinterpret_cast<TviewStats*>(
      base + RoundUp(sizeof(StatsTable)) +
      RoundUp(static_cast<std::size_t>(table->size) * sizeof(SharedCounter)));
  return table;
}

void Count(DatabaseId database, const std::vector<RefreshSample>& samples, Timestamp now) noexcept {
  StatsTable& table = *Stats();
  for (const RefreshSample& sample : samples) {
    const std::uint64_t id = IdOf(database, sample.tview);
    const auto count = [&](TviewStats* entry) { CountInto(sample, now, entry); };
    const Timestamp begin = now - static_cast<Timestamp>(sample.duration_us);
    if (!CountKnown(table, id, count)) CountNew(table, id, begin, count);
  }
}

void CountAudit(DatabaseId database, const AuditSample& sample, Timestamp now) noexcept {
  StatsTable& table = *Stats();
  const std::uint64_t id = IdOf(database, sample.tview);
  const auto count = [&](TviewStats* entry) { CountAuditInto(sample, now, entry); };
  if (!CountKnown(table, id, count)) CountNew(table, id, now, count);
}

void CountWork(DatabaseId database, RelationId tview, std::uint64_t duration_us,
               Timestamp now) noexcept {
  StatsTable& table = *Stats();
  const std::uint64_t id = IdOf(database, tview);
  const auto count = [&](TviewStats* entry) { entry->work_us.Add(duration_us); };
  if (CountKnown(table, id, count)) return;
  CountNew(table, id, now - static_cast<Timestamp>(duration_us), count);
}

void CountWait(DatabaseId database, RelationId tview, const WaitSample& sample,
               Timestamp now) noexcept {
  StatsTable& table = *Stats();
  const std::uint64_t id = IdOf(database, tview);
  const auto count = [&](TviewStats* entry) {
    entry->waits.Add(1);
    entry->total_wait_us.Add(sample.duration_us);
    entry->others_us.Add(sample.others_us);
    entry->wait_us.Add(sample.duration_us);
    Raise(&entry->max_wait_us, sample.duration_us);
  };
  if (CountKnown(table, id, count)) return;
  CountNew(table, id, now - static_cast<Timestamp>(sample.duration_us), count);
}

void CountHeldUp(DatabaseId database, RelationId tview, std::uint64_t readers,
                 std::uint64_t total_us, Timestamp now) noexcept {
  StatsTable& table = *Stats();
  const std::uint64_t id = IdOf(database, tview);
  const auto count = [&](TviewStats* entry) {
    entry->held_up.Add(readers);
    entry->held_up_us.Add(total_us);
    entry->last_held_up.Store(now);
  };
  if (!CountKnown(table, id, count)) CountNew(table, id, now, count);
}

bool HasRepeatedDifferences(DatabaseId database, RelationId tview) noexcept {
  bool found = false;
  CountKnown(*Stats(), IdOf(database, tview),
             [&](const TviewStats* entry) { found = entry->audits_repeated.Load() > 0; });
  return found;
}

RelationId Copy(std::int32_t place, DatabaseId database, TviewStats* copy) noexcept {
  StatsTable& table = *Stats();
  ReadHolder holder(table.lock);
  const std::uint64_t id = table.ids[place].Load();
  if (id == 0 || DatabaseOf(id) != database) return 0;
  *copy = table.entries[place];
  return static_cast<RelationId>(id);
}

void Reset(DatabaseId database, RelationId tview, Timestamp now) noexcept {
  StatsTable& table = *Stats();
  ExclusiveHolder holder(table.lock);
  for (int i = 0; i < table.size; ++i) {
    const std::uint64_t id = table.ids[i].Load();
    if (id == 0 || DatabaseOf(id) != database) continue;
    if (tview == 0 || static_cast<RelationId>(id) == tview) ClearEntry(&table.entries[i], now);
  }
}

void Keep(DatabaseId database, const std::vector<RelationId>& tviews) noexcept {
  StatsTable& table = *Stats();
  ExclusiveHolder holder(table.lock);
  for (int i = 0; i < table.size; ++i) {
    const std::uint64_t id = table.ids[i].Load();
    if (id == 0 || DatabaseOf(id) != database) continue;
    if (!std::binary_search(tviews.begin(), tviews.end(), static_cast<RelationId>(id))) {
      table.ids[i].Store(0);
    }
  }
}

}  // namespace tviews::pg::stats
