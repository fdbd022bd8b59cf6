// What a DDL command would mean for each TVIEW, said without running it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// The text is parsed, names are looked up as the caller, and the questions that the hooks ask
// before and after a command are asked here. Nothing is executed and nothing is locked, not in a
// subtransaction either: a command that is rolled back has waited for its locks, kept readers out,
// rewritten tables and fired event triggers. So the answer is what can be known beforehand: where
// it depends on what the server finds while it runs, the dearer effect is named.

#ifndef PG_TVIEWS_BACKEND_DDL_EXPLAIN_DDL_H_
#define PG_TVIEWS_BACKEND_DDL_EXPLAIN_DDL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

struct DdlEffect {
  RelationId tview = 0;
  std::string effect;  // untouched, followed, compared, dropped or refused
  std::string reason;  // empty where it is untouched
};

// One for each TVIEW, in the order of ids; of several commands in `sql` the gravest counts.
absl::StatusOr<std::vector<DdlEffect>> ExplainDdl(const std::string& sql);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_EXPLAIN_DDL_H_
