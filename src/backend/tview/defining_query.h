// The defining query of a TVIEW: its text, its analysed tree, its key column.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_TVIEW_DEFINING_QUERY_H_
#define PG_TVIEWS_BACKEND_TVIEW_DEFINING_QUERY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct Query;

namespace tviews::backend {

struct OutputColumn {
  std::string name;
  TypeId type = 0;
};

struct DefiningQuery {
  std::string text;
  Query* tree = nullptr;  // in the memory context that was current
  std::vector<OutputColumn> columns;
};

// The query of a CREATE TABLE ... AS statement as it was written, without WITH [NO] DATA. Empty if
// the text is not of that form (SELECT INTO).
absl::StatusOr<std::string> QueryTextOfCreateTableAs(std::string_view statement);

// Parses and analyses `text` as one SELECT without parameters. `column_names`, where given, replace
// the names of the first output columns.
absl::StatusOr<DefiningQuery> ParseDefiningQuery(const std::string& text,
                                                 const std::vector<std::string>& column_names);

// The names in `text`, which says what a key is: the one column that is called so, or a list of
// identifiers, as SQL writes them. `columns`: the names that there are.
absl::StatusOr<std::vector<std::string>> ParseKey(const std::string& text,
                                                  const std::vector<std::string>& columns);

// What ParseKey reads as these names.
absl::StatusOr<std::string> KeyAsText(const std::vector<std::string>& names);

// The numbers of the columns of the key: those in `wanted` if it is not empty, else pk_<entity>,
// else the only pk_*, else, where no column has such a name, id.
absl::StatusOr<std::vector<AttributeNumber>> ChooseKey(const DefiningQuery& query,
                                                       const std::string& entity,
                                                       const std::string& wanted);

// Their names.
std::vector<std::string> NamesOf(const DefiningQuery& query,
                                 const std::vector<AttributeNumber>& key);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_DEFINING_QUERY_H_
