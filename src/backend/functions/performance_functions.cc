// Statistics per TVIEW as rows, and their reset.
//
// Layer:   backend
// Sharing: reads and clears shared memory (stats.h)
// Errors:  raise through pg::Enter

#include <algorithm>
#include <string>

#include "backend/ddl/audit_log.h"
#include "backend/functions/function_values.h"
#include "backend/functions/row_output.h"
#include "backend/tview/names.h"
#include "shared/histogram.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/stats.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <utils/timestamp.h>

PG_FUNCTION_INFO_V1(tviews_stats);
PG_FUNCTION_INFO_V1(tviews_stats_reset);
PG_FUNCTION_INFO_V1(tviews_audit_counters);
PG_FUNCTION_INFO_V1(tviews_group_state_counters);
PG_FUNCTION_INFO_V1(tviews_wait_counters);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

using backend::Row;
using tviews::HistogramCopy;
using tviews::SharedCounter;

double Mean(const SharedCounter& total, std::uint64_t count) {
  return count == 0 ? 0 : static_cast<double>(total.Load()) / static_cast<double>(count);
}

// NULL where nothing has been measured.
void PutMeasured(double microseconds, bool is_measured, Row* row) {
  if (is_measured) {
    row->PutMilliseconds(microseconds);
  } else {
    row->PutNull();
  }
}

// Interpolated, but never more than the longest.
void PutQuantiles(const HistogramCopy& histogram, const SharedCounter& longest, Row* row) {
  for (const double share : {0.5, 0.95, 0.99}) {
    PutMeasured(std::min(histogram.Quantile(share), static_cast<double>(longest.Load())),
                histogram.count() > 0, row);
  }
}

void FillRow(tviews::RelationId tview, const pg::TviewStats& stats, Row* row) {
  const std::uint64_t refreshes = stats.refreshes.Load();
  row->PutOid(tview);
  for (const SharedCounter* counter :
       {&stats.refreshes, &stats.full_refreshes, &stats.errors, &stats.keys, &stats.inserted,
        &stats.updated, &stats.deleted, &stats.unchanged}) {
    row->PutNumber(*counter);
  }
  PutMeasured(Mean(stats.total_us, refreshes), refreshes > 0, row);
  PutMeasured(static_cast<double>(stats.min_us.Load()), refreshes > 0, row);
  PutMeasured(static_cast<double>(stats.max_us.Load()), refreshes > 0, row);
  PutQuantiles(HistogramCopy(stats.refresh_us), stats.max_us, row);
  const std::uint64_t lags = stats.lags.Load();
  PutMeasured(Mean(stats.total_lag_us, lags), lags > 0, row);
  PutMeasured(static_cast<double>(stats.max_lag_us.Load()), lags > 0, row);
  PutQuantiles(HistogramCopy(stats.lag_us), stats.max_lag_us, row);
  row->PutTime(stats.last_refresh.Load());
  row->PutTime(stats.since.Load());
}

void FillAuditRow(tviews::RelationId tview, const pg::TviewStats& stats, Row* row) {
  row->PutOid(tview);
  for (const SharedCounter* counter :
       {&stats.audited, &stats.differences, &stats.audit_rounds, &stats.audits_given_up}) {
    row->PutNumber(*counter);
  }
  row->PutTime(stats.last_difference.Load());
  row->PutNumber(stats.audits_repeated);
}

void FillStatesRow(tviews::RelationId tview, const pg::TviewStats& stats, Row* row) {
  row->PutOid(tview);
  row->PutNumber(stats.by_states);
}

void FillWaitRow(tviews::RelationId tview, const pg::TviewStats& stats, Row* row) {
  const std::uint64_t waits = stats.waits.Load();
  row->PutOid(tview);
  row->PutMilliseconds(static_cast<double>(stats.work_us.Load()));
  row->PutNumber(waits);
  PutMeasured(Mean(stats.total_wait_us, waits), waits > 0, row);
  PutMeasured(static_cast<double>(stats.max_wait_us.Load()), waits > 0, row);
  PutQuantiles(HistogramCopy(stats.wait_us), stats.max_wait_us, row);
  row->PutMilliseconds(static_cast<double>(stats.others_us.Load()));
  row->PutNumber(stats.held_up);
  row->PutMilliseconds(static_cast<double>(stats.held_up_us.Load()));
  row->PutTime(stats.last_held_up.Load());
  row->PutTime(stats.since.Load());
}

using Fill = void (*)(tviews::RelationId, const pg::TviewStats&, Row*);

// A row for each TVIEW of this database that has an entry.
Datum StatsRows(FunctionCallInfoBaseData* fcinfo, Fill fill) {
  return pg::Enter<Datum>([fcinfo, fill]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const backend::RowOutput output, backend::RowOutput::Open(fcinfo));
    pg::TviewStats stats;
    for (int i = 0; i < pg::Stats()->size; ++i) {
      const tviews::RelationId tview = pg::stats::Copy(i, MyDatabaseId, &stats);
      if (tview == 0) continue;
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
        Row row;
        fill(tview, stats, &row);
        row.Store(output);
      }));
    }
    return Datum{0};
  });
}

// A standby has statistics of its own, and can write nothing down.
absl::Status RecordReset(tviews::RelationId tview) {
  if (RecoveryInProgress()) return absl::OkStatus();
  if (tview == 0) return backend::RecordAction("RESET STATISTICS", "", {});
  return backend::RecordActionOn("RESET STATISTICS", tview, {});
}

}  // namespace

TVIEWS_EXPORT Datum tviews_stats(PG_FUNCTION_ARGS) { return StatsRows(fcinfo, FillRow); }

TVIEWS_EXPORT Datum tviews_audit_counters(PG_FUNCTION_ARGS) {
  return StatsRows(fcinfo, FillAuditRow);
}

TVIEWS_EXPORT Datum tviews_group_state_counters(PG_FUNCTION_ARGS) {
  return StatsRows(fcinfo, FillStatesRow);
}

TVIEWS_EXPORT Datum tviews_wait_counters(PG_FUNCTION_ARGS) {
  return StatsRows(fcinfo, FillWaitRow);
}

TVIEWS_EXPORT Datum tviews_stats_reset(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    tviews::RelationId tview = 0;
    if (!PG_ARGISNULL(0)) {
      TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
      TVIEWS_ASSIGN_OR_RETURN(tview, backend::FindTview(entity));
    }
    TVIEWS_RETURN_IF_ERROR(RecordReset(tview));
    pg::stats::Reset(MyDatabaseId, tview, GetCurrentTimestamp());
    return Datum{0};
  });
}
