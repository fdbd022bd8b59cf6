// A view that is to return other columns than it does, and stay the same view.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status
//
// CREATE OR REPLACE VIEW takes the columns that a view has, and more after them. Here the view gets
// the first columns of those that it is to have, so that the statement then accepts the query. The
// view keeps its OID, and with it its owner, privileges, comment, and what binds it to its table.

#ifndef PG_TVIEWS_BACKEND_DDL_RESHAPED_VIEW_H_
#define PG_TVIEWS_BACKEND_DDL_RESHAPED_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

struct Query;

namespace tviews::backend {

struct ColumnShape {
  std::string name;
  TypeId type = 0;
  std::int32_t modifier = -1;
  Oid32 collation = 0;

  bool operator==(const ColumnShape&) const = default;
};

// Those that `query` returns.
absl::StatusOr<std::vector<ColumnShape>> ShapeOfQuery(const Query* query);

// Those of a table or view, without dropped ones, with their numbers.
struct NumberedColumn {
  AttributeNumber number = 0;
  ColumnShape shape;
};
absl::StatusOr<std::vector<NumberedColumn>> ShapeOfRelation(RelationId relation);

// REQUIRES: the view is locked against all, and nothing but its own rule uses its columns. The next
// command gives it a query that returns `columns`.
absl::Status ReshapeView(RelationId view, const std::vector<ColumnShape>& columns);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_RESHAPED_VIEW_H_
