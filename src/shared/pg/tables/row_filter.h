// Conditions on one row that the capture trigger asks before it notes a version.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  RowFilterText raises, only for use inside Call; RowFilter returns a Status
//
// A condition is kept as the server's expression, with the version of its form in front: of another
// version it is none, and everything is noted. So no name is looked up while somebody writes, and
// what is renamed means what it meant.

#ifndef PG_TVIEWS_SHARED_PG_TABLES_ROW_FILTER_H_
#define PG_TVIEWS_SHARED_PG_TABLES_ROW_FILTER_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

struct ExprContext;
struct ExprState;
struct MemoryContextData;
struct Node;
struct TupleTableSlot;

namespace tviews::pg {

// The text of a condition whose variables are columns of one relation. It is the same for the same
// condition.
const char* RowFilterText(Node* condition);

// Asks whether a version meets one of several conditions.
class RowFilter {
 public:
  // Met by every version.
  RowFilter() = default;
  // The conditions are on columns of `source`; the versions are of `changed`, which may be a
  // partition. Where one cannot be asked, every version meets it.
  static absl::StatusOr<RowFilter> Make(const std::set<std::string>& texts, RelationId source,
                                        RelationId changed);

  RowFilter(RowFilter&& other) noexcept;
  RowFilter& operator=(RowFilter&& other) noexcept;
  ~RowFilter();

  // REQUIRES: the columns up to highest_attribute() are there.
  absl::StatusOr<bool> Passes(const TupleTableSlot& version) const;
  AttributeNumber highest_attribute() const { return highest_; }

 private:
  MemoryContextData* memory_ = nullptr;  // null: there is no condition
  ExprContext* context_ = nullptr;
  std::vector<ExprState*> tests_;
  AttributeNumber highest_ = 0;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_ROW_FILTER_H_
