// Arguments and results of SQL functions as C++ values.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_FUNCTION_VALUES_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_FUNCTION_VALUES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/boundary/spi.h"

struct FunctionCallInfoBaseData;

namespace tviews::backend {

// Argument `number` (0-based) of type text, which is not NULL.
absl::StatusOr<std::string> TextArgument(FunctionCallInfoBaseData* fcinfo, int number);

// A Datum of type text.
absl::StatusOr<std::uintptr_t> TextResult(const std::string& text);

// Makes `rows`, in text form, the result of a set-returning function.
absl::Status ReturnRows(FunctionCallInfoBaseData* fcinfo, const std::vector<pg::SqlRow>& rows);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_FUNCTION_VALUES_H_
