// The SQL-callable functions of a session: arguments in, one call, result out.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise through pg::Enter

#include <string>
#include <utility>
#include <vector>

#include "backend/tview_create.h"
#include "backend/tview_drop.h"
#include "backend/tview_names.h"
#include "backend/tview_verify.h"
#include "shared/pg/export.h"
#include "shared/pg/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <access/htup_details.h>
#include <funcapi.h>
#include <utils/builtins.h>
#include <utils/tuplestore.h>

PG_FUNCTION_INFO_V1(tviews_create);
PG_FUNCTION_INFO_V1(tviews_drop);
PG_FUNCTION_INFO_V1(tviews_table);
PG_FUNCTION_INFO_V1(tviews_verify);
PG_FUNCTION_INFO_V1(tviews_version);
#include "shared/pg/postgres_end.h"

namespace backend = tviews::backend;
namespace pg = tviews::pg;

namespace {

absl::StatusOr<std::string> TextArgument(FunctionCallInfo fcinfo, int number) {
  TVIEWS_ASSIGN_OR_RETURN(const char* text,
                          pg::CallFor([&] { return text_to_cstring(PG_GETARG_TEXT_PP(number)); }));
  return std::string(text);
}

absl::StatusOr<Datum> TextResult(const std::string& text) {
  return pg::CallFor([&] { return CStringGetTextDatum(text.c_str()); });
}

// The result of a set-returning function, from the text form of its rows.
absl::Status ReturnRows(FunctionCallInfo fcinfo, const std::vector<pg::SqlRow>& rows) {
  auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  AttInMetadata* input = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    InitMaterializedSRF(fcinfo, 0);
    input = TupleDescGetAttInMetadata(result->setDesc);
  }));
  for (const pg::SqlRow& row : rows) {
    std::vector<char*> values;
    for (const pg::SqlValue& value : row) {
      values.push_back(value.has_value() ? const_cast<char*>(value->c_str()) : nullptr);
    }
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      HeapTuple tuple = BuildTupleFromCStrings(input, values.data());
      tuplestore_puttuple(result->setResult, tuple);
      heap_freetuple(tuple);
    }));
  }
  return absl::OkStatus();
}

}  // namespace

TVIEWS_EXPORT Datum tviews_version(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return pg::Enter<Datum>(
      [] { return pg::CallFor([] { return CStringGetTextDatum(TVIEWS_VERSION); }); });
}

TVIEWS_EXPORT Datum tviews_create(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    backend::TviewRequest request;
    TVIEWS_ASSIGN_OR_RETURN(request.name, backend::ParseTviewName(entity));
    TVIEWS_ASSIGN_OR_RETURN(request.query, TextArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const backend::CreatedTview created,
                            backend::CreateTview(std::move(request)));
    return TextResult(created.name);
  });
}

TVIEWS_EXPORT Datum tviews_drop(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::string dropped,
                            backend::DropTview(entity, PG_GETARG_BOOL(1)));
    return TextResult(dropped);
  });
}

TVIEWS_EXPORT Datum tviews_table(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const tviews::RelationId tview, backend::FindTview(entity));
    return ObjectIdGetDatum(tview);
  });
}

TVIEWS_EXPORT Datum tviews_verify(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string entity, TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::SqlRow> differences,
                            backend::VerifyTview(entity));
    TVIEWS_RETURN_IF_ERROR(ReturnRows(fcinfo, differences));
    return Datum{0};
  });
}
