#include "backend/functions/function_values.h"

#include <algorithm>
#include <cstddef>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <funcapi.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include <utils/tuplestore.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

namespace {

struct ArgumentName {
  const char* function;
  const char* argument;
};

// Inside a Call.
ArgumentName NameOfArgument(FunctionCallInfo fcinfo, int number) {
  HeapTuple const tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "function %u does not exist", fcinfo->flinfo->fn_oid);
  Oid* types = nullptr;
  char** names = nullptr;
  char* modes = nullptr;
  get_func_arg_info(tuple, &types, &names, &modes);
  const ArgumentName name = {
      .function = get_func_name(fcinfo->flinfo->fn_oid),
      .argument = names != nullptr ? names[number] : psprintf("%d", number + 1)};
  ReleaseSysCache(tuple);
  return name;
}

}  // namespace

absl::Status CheckArgument(FunctionCallInfo fcinfo, int number) {
  if (!fcinfo->args[number].isnull) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const ArgumentName name,
                          pg::CallFor([&] { return NameOfArgument(fcinfo, number); }));
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = std::string("argument ") + name.argument + " of " +
                                   name.function + " must not be null",
                        .hint = "A subquery that finds no row gives null.",
                        .sqlstate = "22004"});
}

absl::StatusOr<std::string> TextArgument(FunctionCallInfo fcinfo, int number) {
  TVIEWS_RETURN_IF_ERROR(CheckArgument(fcinfo, number));
  TVIEWS_ASSIGN_OR_RETURN(const char* text,
                          pg::CallFor([&] { return text_to_cstring(PG_GETARG_TEXT_PP(number)); }));
  return std::string(text);
}

absl::StatusOr<std::string> OptionalText(FunctionCallInfo fcinfo, int number) {
  if (number >= PG_NARGS() || PG_ARGISNULL(number)) return std::string();
  return TextArgument(fcinfo, number);
}

absl::StatusOr<std::optional<std::string>> LaneArgument(FunctionCallInfo fcinfo, int number) {
  if (number >= PG_NARGS() || PG_ARGISNULL(number)) return std::optional<std::string>();
  TVIEWS_ASSIGN_OR_RETURN(std::string lane, TextArgument(fcinfo, number));
  return std::optional(std::move(lane));
}

absl::StatusOr<std::uintptr_t> TextResult(const std::string& text) {
  return pg::CallFor([&] { return CStringGetTextDatum(text.c_str()); });
}

absl::Status ReturnRows(FunctionCallInfo fcinfo, const std::vector<pg::SqlRow>& rows) {
  auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  AttInMetadata* input = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    // A single OUT parameter makes the result a plain type.
    const bool is_row = get_call_result_type(fcinfo, nullptr, nullptr) == TYPEFUNC_COMPOSITE;
    InitMaterializedSRF(fcinfo, is_row ? 0 : MAT_SRF_USE_EXPECTED_DESC);
    input = TupleDescGetAttInMetadata(result->setDesc);
  }));
  for (const pg::SqlRow& row : rows) {
    std::vector<char*> values;
    for (const pg::SqlValue& value : row) {
      values.push_back(value.has_value() ? const_cast<char*>(value->c_str()) : nullptr);
    }
    // SQL objects of an older version do not know the newest columns.
    values.resize(std::max<std::size_t>(values.size(), result->setDesc->natts), nullptr);
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      HeapTuple tuple = BuildTupleFromCStrings(input, values.data());
      tuplestore_puttuple(result->setResult, tuple);
      heap_freetuple(tuple);
    }));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
