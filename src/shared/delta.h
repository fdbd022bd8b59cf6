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
// A delta may also count row images for group states: each version of a changed row, an old one as
// -1 and a new one as +1. Unlike keys these must tell of every change exactly once, so a delta is
// counted only as long as everything that was added to it was.
//
// (1) A relation that is marked as changed as a whole holds no keys and no images.
// (2) bytes() grows with every key and image kept and shrinks when a relation degrades.
// (3) A delta that is not counted holds no images, and no union with it is counted.

#ifndef PG_TVIEWS_SHARED_DELTA_H_
#define PG_TVIEWS_SHARED_DELTA_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
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

// Row images with their weights, none of which is 0.
using ImageCounts = absl::flat_hash_map<std::string, std::int64_t>;

// The most keys that fit into `bytes` of memory, with one more.
std::size_t KeysWithin(std::size_t bytes);

// The delta of one relation.
class RelationDelta {
 public:
  // True if the key was not there yet. The change that it stands for is not counted by an image.
  bool Add(const Layout& layout, std::string_view key);
  // The same for a change whose images are added too.
  bool AddCounted(const Layout& layout, std::string_view key);
  // Adds `weight` to that of an image, which consists of the columns `columns`.
  void AddImage(const std::vector<CapturedColumn>& columns, std::string_view image,
                std::int64_t weight);
  // Images do not tell of every change any more.
  void MarkUncounted() noexcept;
  // Makes room for so many keys at once: growing step by step takes half as much again.
  void Reserve(const Layout& layout, std::size_t count);
  void MarkWhole();
  // Unites with `other`; move it if it is not needed any more, keys are then not copied.
  void Merge(RelationDelta other);

  bool is_whole() const { return whole_; }
  bool empty() const { return !whole_ && !uncounted_ && keys_.empty() && images_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t key_count() const;
  const std::map<Layout, SourceKeySet>& keys() const { return keys_; }

  // True if the images tell of every change.
  bool is_counted() const { return has_images_ && !uncounted_ && !whole_; }
  const std::vector<CapturedColumn>& image_columns() const { return image_columns_; }
  const ImageCounts& images() const { return images_; }

 private:
  void MergeImages(RelationDelta* other);

  bool whole_ = false;
  bool uncounted_ = false;
  bool has_images_ = false;  // also if all of them have cancelled out
  std::size_t bytes_ = 0;
  std::map<Layout, SourceKeySet> keys_;
  std::vector<CapturedColumn> image_columns_;
  ImageCounts images_;
  std::size_t image_bytes_ = 0;  // of bytes_
};

// The deltas of a transaction, or of a batch.
class DeltaSet {
 public:
  bool Add(RelationId relation, const Layout& layout, std::string_view key);
  bool AddCounted(RelationId relation, const Layout& layout, std::string_view key);
  void AddImage(RelationId relation, const std::vector<CapturedColumn>& columns,
                std::string_view image, std::int64_t weight);
  // Of all relations.
  void MarkUncounted() noexcept;
  void Reserve(RelationId relation, const Layout& layout, std::size_t count);
  void MarkWhole(RelationId relation);
  void Merge(DeltaSet other);
  void Merge(RelationId relation, RelationDelta other);

  // True if `relation` was marked as changed as a whole; it is not any more.
  bool TakeWhole(RelationId relation);

  // Gives up images, and then degrades relations to "whole relation changed", the largest first,
  // until bytes() <= limit or no keys are left.
  void DegradeTo(std::size_t limit);

  bool empty() const { return relations_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t key_count() const;
  const std::map<RelationId, RelationDelta>& relations() const { return relations_; }
  // The delta of `relation`, or null.
  const RelationDelta* Find(RelationId relation) const;
  void Clear();

 private:
  void GiveUpImages(std::size_t limit);

  std::size_t bytes_ = 0;
  std::map<RelationId, RelationDelta> relations_;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_DELTA_H_
