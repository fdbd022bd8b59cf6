#include "worker/batch/refresh_log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/indexing.h>
#include <common/pg_prng.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/rel.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr Timestamp kDeleteInterval = 60 * Timestamp{1000000};

// Columns of pg_tview_performance_log, as 52_performance.sql lists them.
enum Column {
  kLoggedAt,
  kEntity,
  kTview,
  kDuration,
  kKeys,
  kInserted,
  kUpdated,
  kDeleted,
  kUnchanged,
  kIsFull,
  kErrors,
  kLag,
  kColumns
};

bool IsLogged(const pg::RefreshSample& sample) {
  const int longest = pg::settings::performance_log_min_duration;
  if (longest >= 0 && sample.duration_us >= static_cast<std::uint64_t>(longest) * 1000) return true;
  const double rate = pg::settings::performance_log_sample_rate;
  return rate > 0 && (rate >= 1 || pg_prng_double(&pg_global_prng_state) < rate);
}

Datum Milliseconds(std::int64_t microseconds) {
  return Float8GetDatum(static_cast<double>(microseconds) / 1000.0);
}

Datum Number(std::uint64_t number) { return Int64GetDatum(static_cast<int64>(number)); }

// Inside a Call.
void InsertRow(Relation table, CatalogIndexState indexes, const char* entity,
               const pg::RefreshSample& sample, Timestamp now) {
  Datum values[kColumns];
  bool nulls[kColumns] = {};
  values[kLoggedAt] = TimestampTzGetDatum(now);
  values[kEntity] = CStringGetTextDatum(entity);
  values[kTview] = ObjectIdGetDatum(sample.tview);
  values[kDuration] = Milliseconds(static_cast<std::int64_t>(sample.duration_us));
  values[kKeys] = Number(sample.keys);
  values[kInserted] = Number(sample.inserted);
  values[kUpdated] = Number(sample.updated);
  values[kDeleted] = Number(sample.deleted);
  values[kUnchanged] = Number(sample.unchanged);
  values[kIsFull] = BoolGetDatum(sample.is_full);
  values[kErrors] = Number(sample.errors);
  nulls[kLag] = sample.changed_at == 0;
  values[kLag] = Milliseconds(std::max<Timestamp>(now - sample.changed_at, 0));
  CatalogTupleInsertWithInfo(table, heap_form_tuple(RelationGetDescr(table), values, nulls),
                             indexes);
}

}  // namespace

void RefreshLog::Begin() {
  samples_.clear();
  logged_.clear();
  entities_.clear();
}

void RefreshLog::Add(const std::string& entity, const pg::RefreshSample& sample) {
  if (IsLogged(sample)) {
    logged_.push_back(samples_.size());
    entities_.push_back(entity);
  }
  samples_.push_back(sample);
}

absl::Status RefreshLog::Write() {
  if (!logged_.empty()) TVIEWS_RETURN_IF_ERROR(InsertRows());
  return DeleteOld();
}

absl::Status RefreshLog::InsertRows() {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId log,
                          pg::CatalogTableId(pg::CatalogTable::kPerformanceLog));
  const Timestamp now = GetCurrentTimestamp();
  Relation table = nullptr;
  CatalogIndexState indexes = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    table = table_open(log, RowExclusiveLock);
    indexes = CatalogOpenIndexes(table);
  }));
  for (std::size_t i = 0; i < logged_.size(); ++i) {
    TVIEWS_RETURN_IF_ERROR(pg::Call(
        [&] { InsertRow(table, indexes, entities_[i].c_str(), samples_[logged_[i]], now); }));
  }
  return pg::Call([&] {
    CatalogCloseIndexes(indexes);
    table_close(table, NoLock);
  });
}

absl::Status RefreshLog::DeleteOld() {
  const int retention = pg::settings::performance_log_retention;
  const Timestamp now = GetCurrentTimestamp();
  if (retention == deleted_for_ && now - deleted_at_ < kDeleteInterval) return absl::OkStatus();
  deleted_at_ = now;
  deleted_for_ = retention;
  if (retention < 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string log,
                          pg::QualifiedTable(pg::CatalogTable::kPerformanceLog));
  // In slices, so that no batch is delayed for long.
  return pg::ExecuteSql(
             absl::StrCat("DELETE FROM ", log, " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ", log,
                          " WHERE logged_at < clock_timestamp() - make_interval(mins => ",
                          retention, ") ORDER BY logged_at LIMIT 10000))"))
      .status();
}

void RefreshLog::Publish() const {
  if (!samples_.empty()) pg::stats::Count(MyDatabaseId, samples_, GetCurrentTimestamp());
}

void RefreshLog::Keep(const DependencyGraph& graph) {
  std::vector<RelationId> tviews;
  for (const TviewDefinition& tview : graph.order()) tviews.push_back(tview.relation);
  std::sort(tviews.begin(), tviews.end());
  pg::stats::Keep(MyDatabaseId, tviews);
}

}  // namespace tviews::worker
