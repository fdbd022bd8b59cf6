// The SQL-callable functions that wait for the applier.
//
// Layer:   backend
// Sharing: shared memory (waiting.h)
// Errors:  raise through pg::Enter

#include <optional>
#include <string>
#include <string_view>

#include "backend/capture/transaction.h"
#include "backend/ddl/audit_log.h"
#include "backend/functions/function_values.h"
#include "backend/functions/request_refresh.h"
#include "backend/reading/waiting.h"
#include "backend/tview/names.h"
#include "backend/tview/online_fill.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <catalog/pg_class.h>
#include <datatype/timestamp.h>
#include <funcapi.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/timestamp.h>
#include <utils/xid8.h>

PG_FUNCTION_INFO_V1(tviews_refresh);
PG_FUNCTION_INFO_V1(tviews_wait);
PG_FUNCTION_INFO_V1(tviews_wait_for);
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

// NULL means pg_tviews.read_timeout.
absl::StatusOr<backend::Timeout> TimeoutArgument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return backend::ReadTimeout();
  const Interval* const interval = PG_GETARG_INTERVAL_P(number);
  const std::int64_t microseconds =
      interval->time + (std::int64_t{interval->day} + std::int64_t{interval->month} * 30) *
                           std::int64_t{24 * 3600} * 1000000;
  if (microseconds >= 0) return backend::Timeout(microseconds);
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "timeout must not be negative"});
}

absl::Status CheckOwner(tviews::RelationId tview) {
  return pg::Call([&] {
    if (!pg::compat::OwnsRelation(tview, GetUserId())) {
      aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(tview));
    }
  });
}

}  // namespace

TVIEWS_EXPORT Datum tviews_wait(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const backend::Timeout timeout, TimeoutArgument(fcinfo, 0));
    TVIEWS_RETURN_IF_ERROR(backend::CheckHasNoChanges("wait for the TVIEWs"));
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> lane,
                            backend::LaneArgument(fcinfo, 1));
    TVIEWS_RETURN_IF_ERROR(backend::WaitForEverything(lane, timeout));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_wait_for(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    if (PG_ARGISNULL(0)) {
      return pg::MakeError(absl::StatusCode::kInvalidArgument,
                           {.message = "the transaction ID must not be null",
                            .hint = "A transaction that has changed nothing has none.",
                            .sqlstate = "22004"});
    }
    const FullTransactionId xid = PG_GETARG_FULLTRANSACTIONID(0);
    TVIEWS_ASSIGN_OR_RETURN(const backend::Timeout timeout, TimeoutArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> lane,
                            backend::LaneArgument(fcinfo, 2));
    TVIEWS_RETURN_IF_ERROR(backend::WaitForTransaction(U64FromFullTransactionId(xid), lane,
                                                       fcinfo->flinfo->fn_oid, timeout));
    return Datum{0};
  });
}

TVIEWS_EXPORT Datum tviews_refresh(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const tviews::RelationId tview, backend::FindTview(entity));
    TVIEWS_RETURN_IF_ERROR(CheckOwner(tview));
    TVIEWS_RETURN_IF_ERROR(backend::CheckHasNoChanges("refresh a TVIEW"));
    const char* name = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { name = get_func_name(fcinfo->flinfo->fn_oid); }));
    const bool is_retry = std::string_view(name) == "pg_tviews_retry";
    TVIEWS_RETURN_IF_ERROR(backend::RecordActionOn(is_retry ? "RETRY" : "REFRESH", tview, {}));
    TVIEWS_RETURN_IF_ERROR(backend::CheckReadsPopulatedOnly(tview));
    TVIEWS_ASSIGN_OR_RETURN(const backend::RefreshOutcome outcome, backend::RequestRefresh(tview));
    return pg::CallFor([&] {
      TupleDesc descriptor = nullptr;
      get_call_result_type(fcinfo, nullptr, &descriptor);
      Datum values[] = {Int64GetDatum(static_cast<std::int64_t>(outcome.inserted)),
                        Int64GetDatum(static_cast<std::int64_t>(outcome.updated)),
                        Int64GetDatum(static_cast<std::int64_t>(outcome.deleted))};
      bool nulls[] = {false, false, false};
      return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
    });
  });
}
