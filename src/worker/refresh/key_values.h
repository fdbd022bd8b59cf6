// Affected keys in the forms that statements take them.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_
#define PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "shared/pg/server/datum_image.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/cascade.h"
#include "worker/refresh/statement_cache.h"

struct FmgrInfo;

namespace tviews::worker {

// The keys' images in an order in which neighbours tend to stand on the same pages.
std::vector<std::string> SortKeys(const AffectedKeys& affected, TypeId type);

// True if the keys, sorted, are integers that leave few gaps: a range hardly holds others.
bool AreDense(const std::vector<std::string>& keys, TypeId type);

// The order of a TVIEW's keys. Its function is the key type's, which anybody may have written.
struct KeyOrder {
  FmgrInfo* compare = nullptr;
  Oid32 collation = 0;
};

// Keys to look others up in, under the TVIEW's equality. Where that is more than equality of images
// it runs functions of the key's type, as the TVIEW's owner.
class KeySet {
 public:
  // Values are kept in the current memory context. `tview` has to outlive the set.
  static absl::StatusOr<KeySet> Make(const TviewDefinition& tview, std::vector<std::string> images);

  absl::StatusOr<bool> Contains(const std::string& image) const;

  bool empty() const { return images_.empty(); }

 private:
  absl::flat_hash_set<std::string> images_;
  std::vector<pg::DatumValue> values_;  // sorted; empty if images are equal where keys are
  pg::TypeShape shape_;
  KeyOrder order_;
  const TviewDefinition* tview_ = nullptr;
};

// Leaves one of the keys that are equal under the TVIEW's equality: they name one row, which a
// batch writes once (LINEAGE 19). Compares as the TVIEW's owner.
absl::StatusOr<AffectedKeys> MergeEqualKeys(const TviewDefinition& tview, AffectedKeys affected);

// The key as its type's output function writes it, called as the TVIEW's owner.
absl::StatusOr<std::string> KeyText(const TviewDefinition& tview, const std::string& image);

// One row of one field per image, for RegisterRows (named_rows.h).
std::vector<std::string> KeyRows(const std::vector<std::string>& images);

// An array of the keys, or of their bounds (the first and the last), in the current memory context.
// REQUIRES: the type has an array type.
absl::StatusOr<StatementParameter> KeyArray(const std::vector<std::string>& images, TypeId type,
                                            pg::TypeShape shape);
absl::StatusOr<StatementParameter> KeyBounds(const std::vector<std::string>& images, TypeId type,
                                             pg::TypeShape shape);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_
