// SELECT pg_tviews_replace(...), as a statement that explain_ddl is asked about.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_REPLACE_CALL_H_
#define PG_TVIEWS_BACKEND_DDL_REPLACE_CALL_H_

#include <optional>

#include "absl/status/statusor.h"
#include "backend/tview/replacement_checks.h"

struct Node;

namespace tviews::backend {

// Its arguments, where they are constants; nothing for any other statement. Fails where there is no
// such TVIEW.
absl::StatusOr<std::optional<WantedReplacement>> ReplaceCallOf(const Node* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_REPLACE_CALL_H_
