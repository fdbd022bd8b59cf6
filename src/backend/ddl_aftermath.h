// What a DDL command on a source, a nested view or a TVIEW entails.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Before the command the relations it names are looked up, because it may rename them. After it:
// a TVIEW's view follows its table; capture triggers are put where they belong, ENABLE ALWAYS;
// lineage is derived again; and where rows may have changed without a row trigger having seen it,
// the whole relation is noted as changed. Triggers that ALTER TABLE disables are enabled again
// under the lock that it holds, so that no change escapes and nothing needs to be noted.

#ifndef PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_
#define PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct List;
struct Node;

namespace tviews::backend {

// Plain bytes, carried across the command.
struct Aftermath {
  List* relations;           // the relations concerned, as OIDs
  List* file_nodes;          // of each of them and its inheritors before the command, in OID order
  bool is_rename_elsewhere;  // a function, type, schema, ... that lookups may name
  bool rows_may_differ;      // in the eyes of a query, without any row having been written
};

// REQUIRES: the database has TVIEWs. The statement has not run.
absl::StatusOr<Aftermath> PlanAftermath(const Node* statement);

absl::Status RunAftermath(const Aftermath& aftermath);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_
