// Statistics per TVIEW as rows, and their reset.
//
// Layer:   backend
// Sharing: reads and clears shared memory (stats.h)
// Errors:  raise through pg::Enter

#include <algorithm>
#include <string>

#include "backend/function_values.h"
#include "backend/tview_names.h"
#include "shared/histogram.h"
#include "shared/pg/export.h"
#include "shared/pg/guard.h"
#include "shared/pg/shmem.h"
#include "shared/pg/stats.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <funcapi.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/timestamp.h>
#include <utils/tuplestore.h>

PG_FUNCTION_INFO_V1(tviews_stats);
PG_FUNCTION_INFO_V1(tviews_stats_reset);
#include "shared/pg/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

using tviews::HistogramCopy;
using tviews::SharedCounter;

constexpr int kStatsColumns = 22;

// The columns of one row of pg_tviews_stats(), filled from left to right.
class Row {
 public:
  void PutOid(Oid value) { values_[column_++] = ObjectIdGetDatum(value); }
  void Put(const SharedCounter& counter) {
    values_[column_++] = Int64GetDatum(static_cast<int64>(counter.Load()));
  }
  // NULL where nothing has been measured.
  void PutMilliseconds(double microseconds, bool is_measured) {
    nulls_[column_] = !is_measured;
    values_[column_++] = Float8GetDatum(microseconds / 1000.0);
  }
  void PutTime(tviews::Timestamp time) {
    nulls_[column_] = time == 0;
    values_[column_++] = TimestampTzGetDatum(time);
  }
  Datum* values() { return values_; }
  bool* nulls() { return nulls_; }

 private:
  int column_ = 0;
  Datum values_[kStatsColumns] = {};
  bool nulls_[kStatsColumns] = {};
};

double Mean(const SharedCounter& total, std::uint64_t count) {
  return count == 0 ? 0 : static_cast<double>(total.Load()) / static_cast<double>(count);
}

// Interpolated, but never more than the longest.
void PutQuantiles(const HistogramCopy& histogram, const SharedCounter& longest, Row* row) {
  for (const double share : {0.5, 0.95, 0.99}) {
    row->PutMilliseconds(std::min(histogram.Quantile(share), static_cast<double>(longest.Load())),
                         histogram.count() > 0);
  }
}

void FillRow(tviews::RelationId tview, const pg::TviewStats& stats, Row* row) {
  const std::uint64_t refreshes = stats.refreshes.Load();
  row->PutOid(tview);
  for (const SharedCounter* counter :
       {&stats.refreshes, &stats.full_refreshes, &stats.errors, &stats.keys, &stats.inserted,
        &stats.updated, &stats.deleted, &stats.unchanged}) {
    row->Put(*counter);
  }
  row->PutMilliseconds(Mean(stats.total_us, refreshes), refreshes > 0);
  row->PutMilliseconds(static_cast<double>(stats.min_us.Load()), refreshes > 0);
  row->PutMilliseconds(static_cast<double>(stats.max_us.Load()), refreshes > 0);
  PutQuantiles(HistogramCopy(stats.refresh_us), stats.max_us, row);
  const std::uint64_t lags = stats.lags.Load();
  row->PutMilliseconds(Mean(stats.total_lag_us, lags), lags > 0);
  row->PutMilliseconds(static_cast<double>(stats.max_lag_us.Load()), lags > 0);
  PutQuantiles(HistogramCopy(stats.lag_us), stats.max_lag_us, row);
  row->PutTime(stats.last_refresh.Load());
  row->PutTime(stats.since.Load());
}

}  // namespace

TVIEWS_EXPORT Datum tviews_stats(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { InitMaterializedSRF(fcinfo, 0); }));
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    pg::TviewStats stats;
    for (int i = 0; i < pg::Stats()->size; ++i) {
      const tviews::RelationId tview = pg::stats::Copy(i, MyDatabaseId, &stats);
      if (tview == 0) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
        Row row;
        FillRow(tview, stats, &row);
        tuplestore_putvalues(result->setResult, result->setDesc, row.values(), row.nulls());
      }));
    }
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_stats_reset(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    tviews::RelationId tview = 0;
    if (!PG_ARGISNULL(0)) {
      TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
      TVIEWS_ASSIGN_OR_RETURN(tview, backend::FindTview(entity));
    }
    pg::stats::Reset(MyDatabaseId, tview, GetCurrentTimestamp());
    return Datum{0};
  });
}
