// CREATE, ALTER and DROP EXTENSION of pg_tviews itself.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_EXTENSION_DDL_H_
#define PG_TVIEWS_BACKEND_DDL_EXTENSION_DDL_H_

#include "absl/status/status.h"

struct Node;

namespace tviews::backend {

// True for the two commands where they concern pg_tviews.
bool IsExtensionCommand(const Node* statement);

// Refuses to install SQL objects that the loaded library is too old for: a package that was
// replaced under a running server. Other statements pass.
absl::Status CheckExtensionCommand(const Node* statement);

// Before DROP EXTENSION ... CASCADE: locks what it will take triggers from, so that it waits for
// open writers and for a batch before it holds what these need.
absl::Status PrepareExtensionDrop(const Node* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_EXTENSION_DDL_H_
