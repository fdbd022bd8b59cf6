// What a DDL command will entail, found out before it runs: afterwards names may be others.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_AFTERMATH_PLAN_H_
#define PG_TVIEWS_BACKEND_DDL_AFTERMATH_PLAN_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "shared/types.h"

struct List;
struct Node;

namespace tviews::backend {

struct Retyping;

// Plain bytes, carried across the command.
struct Aftermath {
  List* relations;               // the relations concerned, as OIDs
  Retyping* retyping;            // columns whose types it changes; or null
  const char* drop_column_hint;  // for the server's error (ddl/drop_column_hint.h); or null
  List* arriving;                // relations whose rows come to others with it
  List* unseen_changes;          // relations whose rows it changes without firing a trigger
  List* functions;               // that it may replace or alter, as OIDs
  List* types;                   // whose values, attributes or columns it changes, as OIDs
  Oid32 object_class;            // of another object whose meaning it changes
  Oid32 object;                  // or 0
  const char* renamed;           // its name, if it is one
  Oid32 schema;                  // that gets another name; or 0
  bool is_rename_elsewhere;      // a function, type, schema, ... that lookups may name
  bool changes_tree;             // of partitions or inheritors
  bool changes_columns;          // adds, drops or renames some: whole rows, as documents, differ
  bool rows_may_differ;          // in the eyes of a query, without any row having been written
  std::uint64_t generation;      // of the metadata as it was then
};

// REQUIRES: the statement has not run, and its names are pinned (ddl/pinned_names.h). It does not
// matter whether there are TVIEWs yet: what becomes of it is decided after the command, by what is
// true then.
absl::StatusOr<Aftermath> PlanAftermath(const Node* statement);

// The same for a statement that is not going to run: nothing is locked.
absl::StatusOr<Aftermath> ForeseeAftermath(const Node* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_AFTERMATH_PLAN_H_
