// The deltas of a transaction, by level of its savepoints.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail (allocation aside)
//
// A savepoint that is rolled back drops its level, a released one is folded into the one below.
//
// (1) Deltas of aborted levels are in none that remains, but where the release of a savepoint fails
//     half way: then keys are left, and nothing of what is left is counted.

#ifndef PG_TVIEWS_SHARED_SAVEPOINT_DELTAS_H_
#define PG_TVIEWS_SHARED_SAVEPOINT_DELTAS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "shared/delta.h"
#include "shared/types.h"

namespace tviews {

class SavepointDeltas {
 public:
  // At the level `nest_level`, 1 being the transaction itself. True if the key is new to the level,
  // and no level below has the relation as a whole.
  bool Add(int nest_level, RelationId relation, const Layout& layout, std::string_view key);
  // The same for a change whose images are added too (delta.h).
  bool AddCounted(int nest_level, RelationId relation, const Layout& layout, std::string_view key);
  void AddImage(int nest_level, RelationId relation, const std::vector<CapturedColumn>& columns,
                std::string_view image, std::int64_t weight);
  void MarkWhole(int nest_level, RelationId relation);

  // Degrades relations to "changed as a whole" until all levels together take no more than `limit`
  // bytes, or nothing is left to degrade.
  void KeepWithin(std::size_t limit);

  // The savepoint at `nest_level` is being released: the last moment that may fail. What is noted
  // from then on stays a level of its own.
  void BeginRelease(int nest_level);
  void EndRelease(int nest_level) noexcept;
  void RollBack(int nest_level) noexcept;

  // Everything, as of the transaction's own level; nothing is left.
  DeltaSet TakeAll();
  void Clear() noexcept;

  bool empty() const { return levels_.empty(); }
  std::size_t key_count() const { return key_count_; }  // of all levels
  // REQUIRES: not empty.
  int highest_level() const { return levels_.back().nest_level; }

 private:
  struct Level {
    int nest_level;
    DeltaSet deltas;
  };
  DeltaSet& At(int nest_level);
  bool IsWholeBelow(RelationId relation) const;
  std::size_t CountKeys() const noexcept;
  void FoldLast();

  std::vector<Level> levels_;    // ascending; equal where a callback was late
  std::size_t lower_bytes_ = 0;  // of all levels but the last
  std::size_t key_count_ = 0;
  int released_ = 0;  // the level that BeginRelease has folded; 0: none
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_SAVEPOINT_DELTAS_H_
