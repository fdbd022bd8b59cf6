#include "worker/batch/refresh_log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/columns.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/indexing.h>
#include <commands/sequence.h>
#include <common/pg_prng.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr Timestamp kDeleteInterval = 60 * Timestamp{1000000};

using Column = pg::PerformanceLogColumn;
using pg::place;

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
  Datum values[place(Column::kEnd)];
  bool nulls[place(Column::kEnd)] = {};
  values[place(Column::kLoggedAt)] = TimestampTzGetDatum(now);
  values[place(Column::kEntity)] = CStringGetTextDatum(entity);
  values[place(Column::kTview)] = ObjectIdGetDatum(sample.tview);
  values[place(Column::kRefreshDurationMs)] =
      Milliseconds(static_cast<std::int64_t>(sample.duration_us));
  values[place(Column::kKeys)] = Number(sample.keys);
  values[place(Column::kRowsInserted)] = Number(sample.inserted);
  values[place(Column::kRowsUpdated)] = Number(sample.updated);
  values[place(Column::kRowsDeleted)] = Number(sample.deleted);
  values[place(Column::kRowsUnchanged)] = Number(sample.unchanged);
  values[place(Column::kFullRefresh)] = BoolGetDatum(sample.is_full);
  values[place(Column::kErrors)] = Number(sample.errors);
  nulls[place(Column::kLagMs)] = sample.changed_at == 0;
  values[place(Column::kLagMs)] = Milliseconds(std::max<Timestamp>(now - sample.changed_at, 0));
  const Oid sequence =
      get_relname_relid("pg_tview_performance_log_id_seq", RelationGetNamespace(table));
  values[place(Column::kId)] = Int64GetDatum(nextval_internal(sequence, false));
  CatalogTupleInsertWithInfo(table, heap_form_tuple(RelationGetDescr(table), values, nulls),
                             indexes);
}

// In slices, so that no batch is delayed for long.
absl::Status DeleteOlder(pg::CatalogTable table, const char* time, int minutes) {
  if (minutes < 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string log, pg::QualifiedTable(table));
  return pg::ExecuteSql(absl::StrCat("DELETE FROM ", log,
                                     " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ", log, " WHERE ",
                                     time, " < clock_timestamp() - make_interval(mins => ", minutes,
                                     ") ORDER BY ", time, " LIMIT 10000))"))
      .status();
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

absl::Status RefreshLog::Write(bool deletes_old) {
  if (!logged_.empty()) TVIEWS_RETURN_IF_ERROR(InsertRows());
  return deletes_old ? DeleteOld() : absl::OkStatus();
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
  const std::pair retention = {pg::settings::performance_log_retention,
                               pg::settings::audit_log_retention};
  const Timestamp now = GetCurrentTimestamp();
  if (retention == deleted_for_ && now - deleted_at_ < kDeleteInterval) return absl::OkStatus();
  deleted_at_ = now;
  deleted_for_ = retention;
  TVIEWS_RETURN_IF_ERROR(
      DeleteOlder(pg::CatalogTable::kPerformanceLog, "logged_at", retention.first));
  return DeleteOlder(pg::CatalogTable::kAuditLog, "performed_at", retention.second);
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
