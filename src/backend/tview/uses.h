// Which TVIEWs use a function, a type or a column, by their definitions or those of views they
// read.
//
// Layer:   backend
// Sharing: private to one process; tables
// Errors:  returns Status
//
// For DDL that changes what such an object means without changing a row: a function's body, the
// name of an enum's value, an attribute of a composite type, the rules of text search.

#ifndef PG_TVIEWS_BACKEND_TVIEW_USES_H_
#define PG_TVIEWS_BACKEND_TVIEW_USES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Also by way of operators, casts, aggregates and functions whose bodies the server has parsed.
absl::StatusOr<std::vector<RelationId>> UsersOfFunctions(const std::vector<Oid32>& functions);

// The types of which one of them, or what calls it, makes JSON: a cast that to_jsonb and its like
// find by themselves.
absl::StatusOr<std::vector<Oid32>> TypesPrintedBy(const std::vector<Oid32>& functions);

// A text search configuration or dictionary, or a collation; also by way of functions as above. Of
// text search also those that leave the choice of the configuration to a setting.
absl::StatusOr<std::vector<RelationId>> UsersOfObject(Oid32 object_class, Oid32 object);

// That search by a configuration of users which only a setting names.
absl::StatusOr<std::vector<RelationId>> UsersOfDefaultSearch();

// Also by way of arrays, domains, ranges and composite types, of columns that they read, and of
// functions.
absl::StatusOr<std::vector<RelationId>> UsersOfTypes(const std::vector<Oid32>& types);

// True if `view`, or a view that it reads, calls a function that is not the server's own, by
// whatever way: then what the function reads is not known.
absl::StatusOr<bool> RunsCodeOfUsers(RelationId view);

// The tables of these types (CREATE TABLE ... OF), whose columns change with those of the type.
absl::StatusOr<std::vector<RelationId>> TypedTables(const std::vector<Oid32>& types);

absl::StatusOr<std::vector<RelationId>> TviewsInSchema(Oid32 schema);

// With a lookup whose text has `name` in it.
absl::StatusOr<std::vector<RelationId>> TviewsWithLookup(const std::string& name);

// The TVIEWs for which the server refuses to change the type of a column of `relation`.
absl::StatusOr<std::vector<RelationId>> UsersOfColumn(RelationId relation,
                                                      const std::string& column);

// The TVIEWs for which the server refuses to drop `relation`.
absl::StatusOr<std::vector<RelationId>> DirectUsersOf(RelationId relation);

// What a view reads, directly or through other views; nothing for other relations.
absl::StatusOr<std::vector<RelationId>> ReadThrough(RelationId view);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_USES_H_
