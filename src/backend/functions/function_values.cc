#include "backend/functions/function_values.h"

#include <algorithm>
#include <cstddef>

#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <funcapi.h>
#include <utils/builtins.h>
#include <utils/tuplestore.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

absl::StatusOr<std::string> TextArgument(FunctionCallInfo fcinfo, int number) {
  TVIEWS_ASSIGN_OR_RETURN(const char* text,
                          pg::CallFor([&] { return text_to_cstring(PG_GETARG_TEXT_PP(number)); }));
  return std::string(text);
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
