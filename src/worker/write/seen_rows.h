// Which rows of a table have been seen: a bitmap over their places.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  cannot fail
//
// One page's worth of bits per block of the table, in one zeroed array that the caller makes: 40
// bytes per 8 kB, whatever the number of rows. A row beyond these blocks is never marked.

#ifndef PG_TVIEWS_WORKER_WRITE_SEEN_ROWS_H_
#define PG_TVIEWS_WORKER_WRITE_SEEN_ROWS_H_

#include <cstdint>

#include "shared/types.h"

namespace tviews::worker {

struct SeenRows {
  static constexpr std::uint32_t kWords = 5;  // 320 bits: more than a heap page holds rows

  std::uint64_t* bits;
  std::uint32_t blocks;

  void Mark(RowPointer row) {
    if (row.block < blocks) bits[WordOf(row)] |= BitOf(row);
  }
  bool IsMarked(RowPointer row) const {
    return row.block < blocks && (bits[WordOf(row)] & BitOf(row)) != 0;
  }

 private:
  static std::uint64_t WordOf(RowPointer row) {
    return std::uint64_t{row.block} * kWords + row.offset / 64 % kWords;
  }
  static std::uint64_t BitOf(RowPointer row) { return std::uint64_t{1} << (row.offset % 64); }
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_WRITE_SEEN_ROWS_H_
