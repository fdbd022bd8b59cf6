// Rows of a table by their primary key, as a user writes it.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; NotFound where there is no such row

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_ROW_BY_KEY_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_ROW_BY_KEY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/evaluation/evaluator.h"
#include "shared/types.h"

namespace tviews::backend {

// Where a row stands: in a partition or an inheritance child, perhaps.
struct FoundRow {
  RelationId relation = 0;
  std::string place;  // its ctid as text
};

// Fails if the caller may not read all rows of `table`.
absl::Status CheckMayReadTable(RelationId table);

// The committed rows of `table` whose primary key is `key`, under the evaluator's snapshot, if the
// caller may read them. `key` is as SplitKeyText (key_text.h) reads it.
// The key's type makes a value of the text as the table's owner. More than one row only among
// inheritance children. Fails if there is none.
absl::StatusOr<std::vector<FoundRow>> FindRowsByKey(RelationId table, const std::string& key,
                                                    Evaluator* evaluator);

// The name of a type for a cast, whatever the search_path.
absl::StatusOr<std::string> TypeNameForCast(TypeId type);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_ROW_BY_KEY_H_
