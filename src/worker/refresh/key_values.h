// Affected keys in the forms that statements take them.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_
#define PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "shared/pg/server/datum_image.h"
#include "shared/refresh_plan.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/cascade.h"
#include "worker/refresh/statement_cache.h"
#include "worker/write/stored_rows.h"

struct FmgrInfo;
struct TupleTableSlot;

namespace tviews::worker {

// Between values of the key's columns and images.
class KeyCodec {
 public:
  static absl::StatusOr<KeyCodec> Make(const TviewDefinition& tview);

  // Of one value for each column, none of which is NULL.
  absl::StatusOr<std::string> Image(const pg::DatumValue* values) const;
  // Of a row of the TVIEW, deformed.
  absl::StatusOr<std::string> ImageOf(TupleTableSlot* row) const;
  // In the current memory context.
  absl::StatusOr<std::vector<pg::DatumValue>> Values(std::string_view image) const;

  std::size_t columns() const { return shapes_.size(); }

 private:
  std::vector<AttributeNumber> attributes_;
  std::vector<pg::TypeShape> shapes_;
};

// The keys' images in an order in which neighbours tend to stand on the same pages.
std::vector<std::string> SortKeys(const AffectedKeys& affected, const TviewDefinition& tview);

// True if the keys, sorted, are integers that leave few gaps: a range hardly holds others. Of
// several columns the last one is, in combination with all values of the others.
bool AreDense(const std::vector<std::string>& keys, const TviewDefinition& tview);

struct KeyPart {
  std::vector<std::string> keys;
  bool differ_in_last = false;  // and in no other column
};

// The keys, sorted, in parts: one for each value of all columns but the last that has `smallest`
// keys or more, and one of all others, where there are any. Keys of one column are one part.
std::vector<KeyPart> PartsOfNeighbours(const std::vector<std::string>& keys,
                                       const TviewDefinition& tview, std::size_t smallest);

// True if the values of the columns, each combined with all of the others, are hardly more keys.
bool AreCombined(const std::vector<std::string>& keys, const TviewDefinition& tview);

// The order of a TVIEW's keys. Its functions are those of the columns' types, which anybody may
// have written.
struct KeyOrder {
  int columns = 0;
  FmgrInfo* compare[kMostKeyColumns];
  Oid32 collation[kMostKeyColumns];
};

// Keys to look others up in, under the TVIEW's equality. Where that is more than equality of images
// it runs functions of the key's types, as the TVIEW's owner.
class KeySet {
 public:
  // Values are kept in the current memory context. `tview` has to outlive the set.
  static absl::StatusOr<KeySet> Make(const TviewDefinition& tview, std::vector<std::string> images);
  KeySet(KeySet&&) = default;
  KeySet& operator=(KeySet&&) = default;

  absl::StatusOr<bool> Contains(const std::string& image) const;

  bool empty() const { return images_.empty(); }

 private:
  explicit KeySet(KeyCodec codec) : codec_(std::move(codec)) {}

  absl::flat_hash_set<std::string> images_;
  KeyCodec codec_;
  std::vector<pg::DatumValue> values_;         // of all keys
  std::vector<const pg::DatumValue*> sorted_;  // empty if images are equal where keys are
  KeyOrder order_;
  const TviewDefinition* tview_ = nullptr;
};

// Leaves one of the keys that are equal under the TVIEW's equality: they name one row, which a
// batch writes once (LINEAGE 19). Compares as the TVIEW's owner.
absl::StatusOr<AffectedKeys> MergeEqualKeys(const TviewDefinition& tview, AffectedKeys affected);

// Leaves those that do not come after the key `mark`, in the order of ORDER BY. Compares as the
// TVIEW's owner.
absl::StatusOr<AffectedKeys> KeysUpTo(const TviewDefinition& tview, AffectedKeys affected,
                                      const std::string& mark);

// The key for people: as its type's output function writes it, or, of several columns, as a JSON
// object. Called as the TVIEW's owner.
absl::StatusOr<std::string> KeyText(const TviewDefinition& tview, const std::string& image);

// The parameters of RefreshStatement's `shape`: kSingle, kArray or kRange. In the current memory
// context. REQUIRES: for arrays, the types have array types.
absl::StatusOr<StatementParameters> KeyParameters(const TviewDefinition& tview,
                                                  const std::vector<std::string>& keys,
                                                  RefreshShape shape);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_KEY_VALUES_H_
