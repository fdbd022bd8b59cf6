// Arguments and results of SQL functions as C++ values.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_FUNCTION_VALUES_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_FUNCTION_VALUES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/boundary/spi.h"

struct FunctionCallInfoBaseData;

namespace tviews::backend {

// Fails where argument `number` (0-based) is NULL. No function of ours is STRICT where the answer
// to NULL would be none: that is what it says when all is well.
absl::Status CheckArgument(FunctionCallInfoBaseData* fcinfo, int number);

// Argument `number` of type text; fails where it is NULL.
absl::StatusOr<std::string> TextArgument(FunctionCallInfoBaseData* fcinfo, int number);

// The same, empty where it is NULL, or where the SQL function of an older version has no such one.
absl::StatusOr<std::string> OptionalText(FunctionCallInfoBaseData* fcinfo, int number);

// The name of a lane; none where it is NULL or empty, or is no argument.
absl::StatusOr<std::optional<std::string>> LaneArgument(FunctionCallInfoBaseData* fcinfo,
                                                        int number);

// A Datum of type text.
absl::StatusOr<std::uintptr_t> TextResult(const std::string& text);

// Makes `rows`, in text form, the result of a set-returning function.
absl::Status ReturnRows(FunctionCallInfoBaseData* fcinfo, const std::vector<pg::SqlRow>& rows);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_FUNCTION_VALUES_H_
