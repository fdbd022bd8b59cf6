#include "backend/functions/row_output.h"

#include <cmath>

#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <funcapi.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/timestamp.h>
#include <utils/tuplestore.h>
#include <utils/xid8.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

absl::StatusOr<RowOutput> RowOutput::Open(FunctionCallInfo fcinfo) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { InitMaterializedSRF(fcinfo, 0); }));
  auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  return RowOutput{.store = result->setResult, .descriptor = result->setDesc};
}

void Row::PutNull() {
  nulls_[column_] = true;
  PutValue(0);
}

void Row::PutOid(Oid32 value) { PutValue(ObjectIdGetDatum(value)); }

void Row::PutOidUnlessZero(Oid32 value) {
  nulls_[column_] = value == 0;
  PutOid(value);
}

void Row::PutInt(std::int32_t value) { PutValue(Int32GetDatum(value)); }

void Row::PutIntUnlessZero(std::int32_t value) {
  nulls_[column_] = value == 0;
  PutInt(value);
}

void Row::PutNumber(std::uint64_t value) { PutValue(Int64GetDatum(static_cast<int64>(value))); }

void Row::PutNumberUnlessZero(std::uint64_t value) {
  nulls_[column_] = value == 0;
  PutNumber(value);
}

void Row::PutMilliseconds(double microseconds) {
  PutValue(Float8GetDatum(std::round(microseconds) / 1000.0));
}

void Row::PutTime(Timestamp time) {
  nulls_[column_] = time == 0;
  PutValue(TimestampTzGetDatum(time));
}

void Row::PutText(const char* text) { PutValue(CStringGetTextDatum(text)); }

void Row::PutXid(FullXid xid) {
  PutValue(FullTransactionIdGetDatum(FullTransactionIdFromU64(xid)));
}

void Row::PutOids(const RelationId* oids, int count) {
  auto* const values = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
  for (int i = 0; i < count; ++i) values[i] = ObjectIdGetDatum(oids[i]);
  PutValue(
      PointerGetDatum(construct_array(values, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT)));
}

void Row::Store(const RowOutput& output) {
  tuplestore_putvalues(output.store, output.descriptor, values_, nulls_);
}

}  // namespace tviews::backend
