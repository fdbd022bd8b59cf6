// Keys as callers write them.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_KEY_TEXT_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_KEY_TEXT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tviews::backend {

// The texts of the values of `columns` in `text`: of one column the text itself; of several a JSON
// object, a JSON array, or a row: {"tenant_id": 3, "id": 5}, [3, 5], (3,5).
absl::StatusOr<std::vector<std::string>> SplitKeyText(const std::string& text,
                                                      const std::vector<std::string>& columns);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_KEY_TEXT_H_
