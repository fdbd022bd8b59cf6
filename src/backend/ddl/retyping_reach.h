// What a change of the type of columns reaches: the same columns of inheritors, and the views over
// them, each in the order in which they have to be made again.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status

#ifndef PG_TVIEWS_BACKEND_DDL_RETYPING_REACH_H_
#define PG_TVIEWS_BACKEND_DDL_RETYPING_REACH_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// A column of a relation whose type the command names.
struct AlteredColumn {
  RelationId relation;
  AttributeNumber number;
  TypeId type;
  std::int32_t modifier;
  Oid32 collation;
  Oid32 file_node;  // of the relation
};

// The columns `names` of the relation and of what has the same columns.
absl::StatusOr<std::vector<AlteredColumn>> ReadColumns(RelationId relation,
                                                       const std::vector<std::string>& names);

// A view of which the type of a column may change, and what it reads of the others.
struct ViewToSave {
  RelationId view = 0;
  RelationId tview = 0;
  bool reads_altered = false;
  std::vector<RelationId> reads;
};

// Views that TVIEWs read the columns through, and, transitively, the views that read one of these
// or the TVIEW's table. Others are in the way, and the server says so.
absl::StatusOr<std::vector<ViewToSave>> FindViews(RelationId relation,
                                                  const std::vector<std::string>& names);

// The same, locked: none has come or gone since.
absl::StatusOr<std::vector<ViewToSave>> LockedViews(RelationId relation,
                                                    const std::vector<std::string>& names);

// Each after those that it reads.
class ViewsInOrder {
 public:
  explicit ViewsInOrder(std::vector<ViewToSave> views) {
    for (ViewToSave& view : views) by_id_[view.view] = std::move(view);
  }

  std::vector<const ViewToSave*> Sort() {
    for (const auto& [id, view] : by_id_) Add(id);
    return std::move(sorted_);
  }

 private:
  // Views do not read themselves, nor each other in a circle.
  void Add(RelationId id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || !seen_.insert(id).second) return;
    for (const RelationId read : found->second.reads) Add(read);
    sorted_.push_back(&found->second);
  }

  std::map<RelationId, ViewToSave> by_id_;
  std::set<RelationId> seen_;
  std::vector<const ViewToSave*> sorted_;
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_RETYPING_REACH_H_
