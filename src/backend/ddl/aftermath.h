// What a DDL command on a source, a nested view or a TVIEW entails.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Before the command the relations it names are looked up (aftermath_plan.h). After it:
// a TVIEW's view follows its table; capture triggers are put where they belong, ENABLE ALWAYS;
// lineage is derived again; and where rows may have changed without a row trigger having seen it,
// the whole relation is noted as changed. Triggers that ALTER TABLE disables are enabled again
// under the lock that it holds, so that no change escapes and nothing needs to be noted.
//
// Commands that change a tree of partitions or inheritors take locks on the parent that do not
// conflict with reading it, and their commit becomes visible before their invalidations are sent.
// An applier in between would see the rows of the old tree. Therefore they lock the TVIEWs that
// read the tree in SHARE mode: the applier waits and takes the invalidations in, readers go on.
// So do commands that change what a function or a type means, which nobody locks to use it.

#ifndef PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_
#define PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_

#include "absl/status/status.h"
#include "backend/ddl/aftermath_plan.h"
#include "shared/types.h"

struct Node;

namespace tviews::backend {

// What has to be out of the way of the command itself.
absl::Status PrepareForCommand(const Node* statement);

// A cast is created or dropped, by whatever command: to_jsonb and its like look for casts to json
// as they run, and nothing in a definition depends on them.
absl::Status NoteCast(Oid32 cast);

// A text search configuration, or a schema, comes, goes or gets another name: the one that a TVIEW
// keeps as a setting, which is a name, may be another one now, or none.
absl::Status NoteSearchConfigurations();

absl::Status RunAftermath(const Aftermath& aftermath);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_
