// Names of TVIEWs: from what a user wrote to relations.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// A TVIEW is called by its entity ("post"), by its table ("tv_post"), and by either with a schema
// ("blog.tv_post"). Text is read like SQL names: folded to lower case unless quoted.

#ifndef PG_TVIEWS_BACKEND_TVIEW_NAMES_H_
#define PG_TVIEWS_BACKEND_TVIEW_NAMES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Names of a TVIEW, not quoted.
struct TviewName {
  std::string schema;  // empty: not given
  std::string entity;
  std::string table;
  std::string view;

  std::string QualifiedTable() const;  // quoted
  std::string QualifiedView() const;
};

// True if the name begins with pg_tviews.table_prefix: CREATE TABLE ... AS then creates a TVIEW.
// False for every name where the prefix is empty.
bool HasTviewPrefix(std::string_view table);
std::string WithoutTviewPrefix(const std::string& table);

// The names that follow from an entity. Fails where one of them would exceed 63 bytes.
absl::StatusOr<TviewName> MakeTviewName(const std::string& schema, const std::string& entity);

// The names that follow from what a user wrote, with or without tv_ and a schema.
absl::StatusOr<TviewName> ParseTviewName(const std::string& text);

// Gives `name` the schema in which an object created now would stand, if it has none.
absl::Status ResolveCreationSchema(TviewName* name);

// The TVIEW that the user calls `text`; NotFound if there is none.
absl::StatusOr<RelationId> FindTview(const std::string& text);

// schema.name of a relation, quoted.
absl::StatusOr<std::string> QualifiedRelationName(RelationId relation);

// As the server would print it: with its schema where the search path does not find it.
absl::StatusOr<std::string> RelationDisplayName(RelationId relation);

// An object of the extension: its schema and `name`, quoted.
absl::StatusOr<std::string> ExtensionObject(const std::string& name);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_NAMES_H_
