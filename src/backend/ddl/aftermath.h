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
//
// Commands that change a tree of partitions or inheritors take locks on the parent that do not
// conflict with reading it, and their commit becomes visible before their invalidations are sent.
// An applier in between would see the rows of the old tree. Therefore they lock the TVIEWs that
// read the tree in SHARE mode: the applier waits and takes the invalidations in, readers go on.
// So do commands that change what a function or a type means, which nobody locks to use it.

#ifndef PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_
#define PG_TVIEWS_BACKEND_DDL_AFTERMATH_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct List;
struct Node;

namespace tviews::backend {

struct Retyping;

// Plain bytes, carried across the command.
struct Aftermath {
  List* relations;           // the relations concerned, as OIDs
  Retyping* retyping;        // columns whose types it changes; or null
  List* arriving;            // relations whose rows come to others with it
  List* unseen_changes;      // relations whose rows it changes without firing a trigger
  List* functions;           // that it may replace or alter, as OIDs
  List* types;               // whose values, attributes or columns it changes, as OIDs
  Oid32 object_class;        // of another object whose meaning it changes
  Oid32 object;              // or 0
  const char* renamed;       // its name, if it is one
  Oid32 schema;              // that gets another name; or 0
  bool is_rename_elsewhere;  // a function, type, schema, ... that lookups may name
  bool changes_tree;         // of partitions or inheritors
  bool changes_columns;      // adds, drops or renames some: whole rows, as documents, differ
  bool rows_may_differ;      // in the eyes of a query, without any row having been written
  std::uint64_t generation;  // of the metadata as it was then
};

// REQUIRES: the statement has not run, and its names are pinned (ddl/pinned_names.h). It does not
// matter whether there are TVIEWs yet: what becomes of it is decided after the command, by what is
// true then.
absl::StatusOr<Aftermath> PlanAftermath(const Node* statement);

// The same for a statement that is not going to run: nothing is locked.
absl::StatusOr<Aftermath> ForeseeAftermath(const Node* statement);

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
