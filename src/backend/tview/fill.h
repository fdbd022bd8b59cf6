// The initial fill of a TVIEW: its query's result, copied into its table.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// The snapshot is taken here, after the sources were locked, also in REPEATABLE READ and although
// the command brought an older one along. It is reported, because the records that it sees need not
// be applied to the TVIEW again. Rows go into the table in batches and past the executor's checks:
// the table is new and has no index yet.

#ifndef PG_TVIEWS_BACKEND_TVIEW_FILL_H_
#define PG_TVIEWS_BACKEND_TVIEW_FILL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/definition_settings.h"
#include "shared/types.h"

namespace tviews::backend {

struct FillTarget {
  RelationId table = 0;
  std::string query;            // SELECT * FROM v_x, schema-qualified
  RoleId owner = 0;             // as whom it runs
  DefinitionSettings settings;  // and with what
  std::vector<AttributeNumber> key;
};

struct FillResult {
  std::uint64_t rows = 0;
  std::string snapshot;  // text form of a pg_snapshot
  std::string creator;   // this transaction's id, which its own snapshot never lists
  Timestamp clock = 0;   // what now() was; 0: the definition uses no clock
};

// Fails with 23502 at the first row in which a column of the key is NULL.
absl::StatusOr<FillResult> FillTview(const FillTarget& target);

// The fill evaluates the definition as its owner in this session. So the session has to be the
// owner's, or of a role that could become the owner: not where a SECURITY DEFINER function creates
// for a caller, who may have prepared temporary objects. And nothing that only this session has set
// may reach functions of `view`. True, with a NOTICE: the applier has to fill `table`.
absl::StatusOr<bool> IsLeftToApplier(const std::string& table, RelationId view);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_FILL_H_
