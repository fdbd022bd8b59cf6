// What an ALTER COLUMN ... TYPE says: the columns it names, and whether it changes anything.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_ALTERED_TYPES_H_
#define PG_TVIEWS_BACKEND_DDL_ALTERED_TYPES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct AlterTableCmd;
struct AlterTableStmt;
struct PlannedStmt;

namespace tviews::backend {

// The columns whose type `statement` names.
std::vector<std::string> AlteredNames(const AlterTableStmt* statement);

// True if one of them gets another type than it has.
absl::StatusOr<bool> ChangesAnyType(RelationId relation, const AlterTableStmt* statement);

// Takes out of `planned`, which must be ours to change, each ALTER COLUMN ... TYPE that names the
// type which the column has: tools send such statements, and the server refuses them for columns
// that views use.
absl::Status RemoveNoops(PlannedStmt* planned);

enum class RetypingKind { kNoop, kSameValues, kOtherValues };

// What an ALTER COLUMN ... TYPE that is not going to run would do, as far as can be known; where
// the server would refuse it, kOtherValues.
absl::StatusOr<RetypingKind> ForeseeRetyping(RelationId relation, const AlterTableCmd* command);

// Text and varchar hold the same values.
bool IsText(TypeId type);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_ALTERED_TYPES_H_
