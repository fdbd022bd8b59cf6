// Deltas + lineage -> affected keys of a TVIEW.
//
// Layer:   core
// Sharing: private to the applier
// Errors:  passes on what KeyLookup returns
//
// Where lineage needs a query, the cascade asks KeyLookup: the applier answers over SPI, the unit
// tests over a map.

#ifndef PG_TVIEWS_WORKER_CORE_CASCADE_H_
#define PG_TVIEWS_WORKER_CORE_CASCADE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/delta.h"
#include "shared/tview_definition.h"

namespace tviews::worker {

// Affected keys as images (shared/key_image.h), distinct by image.
struct AffectedKeys {
  bool everything = false;  // keys unknown: full differential refresh
  std::string why;          // if everything: for people
  bool is_touched = false;  // something relevant changed, though perhaps only rows without a key
  bool names_null = false;  // a change leads to NULL instead of a key
  absl::flat_hash_set<std::string> keys;

  bool empty() const { return !everything && keys.empty(); }

  // True if a row of `tview` whose key is NULL may have come or gone with these keys.
  bool MayConcernNullKey(const TviewDefinition& tview) const {
    return !tview.key_is_not_null && (tview.tells_null_keys ? names_null : is_touched);
  }
};

class KeyLookup {
 public:
  virtual ~KeyLookup() = default;

  // Runs the lookup query of `path` from `source` to `tview` over the source keys (each with the
  // fields of path.captured, in that order) and calls `emit` with the image of every key, or with
  // the part as a source key; with nothing where a column of it is NULL.
  virtual absl::Status Lookup(const TviewDefinition& tview, const SourceLineage& source,
                              const LineagePath& path, const std::vector<std::string>& source_keys,
                              absl::FunctionRef<void(std::optional<std::string_view>)> emit) = 0;

  // Calls `emit` with the image of every key, stored or to be stored, that has the values of one of
  // `rows` (source keys) in the columns `part` of the key.
  virtual absl::Status Complete(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                                const std::vector<std::string>& rows,
                                absl::FunctionRef<void(std::string_view)> emit) = 0;

  // Called now and then while many keys are gone through: fails where the work is to end.
  virtual absl::Status CheckInterrupts() = 0;
};

// The keys of `tview` that `deltas` affect. A source changed as a whole, a full path, and a delta
// whose layout lacks a column that the path needs or has it under another type, give `everything`.
absl::StatusOr<AffectedKeys> FindAffectedKeys(const TviewDefinition& tview, const DeltaSet& deltas,
                                              KeyLookup& lookup);

// The part of `deltas` that concerns `tview`: what it owes where it is left aside.
DeltaSet DeltasConcerning(const TviewDefinition& tview, const DeltaSet& deltas);

// True if ConvertKeyImage can convert: the types are the same, or both are int2, int4 or int8.
bool IsConvertible(TypeId from, TypeId to);

// The image of the integer `image` of type `from` in type `to`; nullopt if it does not fit, in
// which case no key can equal it. The same image if the types are the same. REQUIRES:
// IsConvertible(from, to).
std::optional<std::string> ConvertKeyImage(std::string_view image, TypeId from, TypeId to);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_CASCADE_H_
