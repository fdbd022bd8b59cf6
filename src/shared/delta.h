// Deltas: the source keys of changed rows, by relation and layout.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail (allocation aside)
//
// A delta is a set of source keys: no operation, no order, no old and new. Affected documents are
// the union over both versions of a row, so nothing else is needed, and uniting deltas is
// coalescing. Keys are held per layout because one transaction may capture the same table under
// two configurations (a TVIEW created between them), and because an update that changed other
// columns concerns other TVIEWs.
//
// (1) A relation that is marked as changed as a whole holds no keys.
// (2) bytes() grows with every key kept and shrinks when a relation degrades.

#ifndef PG_TVIEWS_SHARED_DELTA_H_
#define PG_TVIEWS_SHARED_DELTA_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "shared/types.h"

namespace tviews {

struct CapturedColumn {
  AttributeNumber attribute = 0;
  TypeId type = 0;
  friend auto operator<=>(const CapturedColumn&, const CapturedColumn&) = default;
};

// What the keys of a delta consist of, and which columns' changes they stand for.
struct Layout {
  std::vector<CapturedColumn> columns;
  // The relevant columns that the update changed, ascending; empty means any column (an insert or
  // a delete).
  std::vector<AttributeNumber> changed;
  friend auto operator<=>(const Layout&, const Layout&) = default;
};

using SourceKeySet = absl::flat_hash_set<std::string>;

// The most keys that fit into `bytes` of memory, with one more.
std::size_t KeysWithin(std::size_t bytes);

// The delta of one relation.
class RelationDelta {
 public:
  // True if the key was not there yet.
  bool Add(const Layout& layout, std::string_view key);
  // Makes room for so many keys at once: growing step by step takes half as much again.
  void Reserve(const Layout& layout, std::size_t count);
  void MarkWhole();
  // Unites with `other`; move it if it is not needed any more, keys are then not copied.
  void Merge(RelationDelta other);

  bool is_whole() const { return whole_; }
  bool empty() const { return !whole_ && keys_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t key_count() const;
  const std::map<Layout, SourceKeySet>& keys() const { return keys_; }

 private:
  bool whole_ = false;
  std::size_t bytes_ = 0;
  std::map<Layout, SourceKeySet> keys_;
};

// The deltas of a transaction, or of a batch.
class DeltaSet {
 public:
  bool Add(RelationId relation, const Layout& layout, std::string_view key);
  void Reserve(RelationId relation, const Layout& layout, std::size_t count);
  void MarkWhole(RelationId relation);
  void Merge(DeltaSet other);
  void Merge(RelationId relation, RelationDelta other);

  // True if `relation` was marked as changed as a whole; it is not any more.
  bool TakeWhole(RelationId relation);

  // Degrades relations to "whole relation changed", the largest first, until bytes() <= limit or
  // no keys are left.
  void DegradeTo(std::size_t limit);

  bool empty() const { return relations_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t key_count() const;
  const std::map<RelationId, RelationDelta>& relations() const { return relations_; }
  // The delta of `relation`, or null.
  const RelationDelta* Find(RelationId relation) const;
  void Clear();

 private:
  std::size_t bytes_ = 0;
  std::map<RelationId, RelationDelta> relations_;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_DELTA_H_
