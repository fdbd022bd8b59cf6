// How far TVIEWs are behind, as rows: the function below pg_tviews_lag.
//
// Layer:   backend
// Sharing: reads shared memory (lag.h)
// Errors:  raise through pg::Enter

#include "backend/functions/row_output.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/lag.h"
#include "shared/pg/shmem/database_slot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>

PG_FUNCTION_INFO_V1(tviews_lag);
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

using backend::Row;
using backend::RowOutput;

void PutLag(const RowOutput& output, const pg::DatabaseSlot& slot, const pg::Lag& lag) {
  const pg::ApplierActivity& activity = slot.activity;
  Row row;
  row.PutOid(slot.database.Load());
  if (lag.oldest_xid == 0) {
    row.PutNull();
  } else {
    row.PutXid(lag.oldest_xid);
  }
  row.PutTime(lag.oldest_at);
  row.PutNumber(lag.records);
  row.PutNumber(lag.keys);
  row.PutNumber(lag.bytes);
  row.PutNumber(lag.spilled);
  row.PutInt(slot.behind_count.Load());
  row.PutTime(activity.last_batch_at.Load());
  row.PutNumberUnlessZero(activity.last_batch_records.Load());
  row.PutMilliseconds(static_cast<double>(activity.last_batch_us.Load()));
  row.PutNumber(activity.last_batch_rows);
  row.PutText(slot.lane);
  row.Store(output);
}

}  // namespace

TVIEWS_EXPORT Datum tviews_lag(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const RowOutput output, RowOutput::Open(fcinfo));
    pg::SlotTable* const table = pg::Slots();
    for (int i = 0; i < table->all(); ++i) {
      if (table->slots[i].database.Load() == 0) continue;
      const pg::Lag lag = pg::MeasureLag(&table->slots[i]);
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { PutLag(output, table->slots[i], lag); }));
    }
    return Datum{0};
  });
}
