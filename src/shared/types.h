// Small values that every part agrees on.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_TYPES_H_
#define PG_TVIEWS_SHARED_TYPES_H_

#include <cstdint>
#include <vector>

namespace tviews {

// Object identifiers of the server; 0 is "none".
using Oid32 = std::uint32_t;
using RelationId = Oid32;
using DatabaseId = Oid32;
using RoleId = Oid32;
using TypeId = Oid32;

// 1-based number of a column; 0 stands for the whole row.
using AttributeNumber = std::int16_t;

// A transaction id with its epoch; never wraps around.
using FullXid = std::uint64_t;

// Microseconds since 2000-01-01 UTC.
using Timestamp = std::int64_t;

// Where a row version stands in its table.
struct RowPointer {
  std::uint32_t block = 0xFFFFFFFF;
  std::uint16_t offset = 0;

  bool is_valid() const { return offset != 0; }
  friend bool operator==(const RowPointer&, const RowPointer&) = default;
  friend auto operator<=>(const RowPointer&, const RowPointer&) = default;
};

// What a snapshot sees, with ids that never wrap: everything below `xmin` has ended, nothing from
// `xmax` on, and of those between, all but `in_progress` (ascending).
struct SnapshotBounds {
  FullXid xmin = 0;
  FullXid xmax = 0;
  std::vector<FullXid> in_progress;

  // True if the transaction had ended (committed or not) when the snapshot was taken.
  bool Includes(FullXid xid) const;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_TYPES_H_
