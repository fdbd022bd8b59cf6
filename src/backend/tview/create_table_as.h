// CREATE TABLE ... AS statements that create a TVIEW.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_CREATE_TABLE_AS_H_
#define PG_TVIEWS_BACKEND_TVIEW_CREATE_TABLE_AS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

struct CreateTableAsStmt;

namespace tviews::backend {

// True if the statement creates a TVIEW: a permanent table whose name begins with tv_, or one with
// the option pg_tviews.entity, in a database that has the extension.
absl::StatusOr<bool> CreatesTview(const CreateTableAsStmt* statement);

struct CreateTableAsResult {
  std::uint64_t rows = 0;
  bool has_rows = true;  // not after WITH NO DATA, or IF NOT EXISTS where it did
};

// Creates the TVIEW. `text` is the text of the statement.
absl::StatusOr<CreateTableAsResult> RunCreateTableAs(const CreateTableAsStmt* statement,
                                                     std::string_view text);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_CREATE_TABLE_AS_H_
