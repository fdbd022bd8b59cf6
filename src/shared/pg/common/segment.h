// A shared memory segment between a process and its workers, with a table of contents.
//
// Layer:   pg
// Sharing: shared memory
// Errors:  raises as the server does: to be called within pg::Call

#ifndef PG_TVIEWS_SHARED_PG_COMMON_SEGMENT_H_
#define PG_TVIEWS_SHARED_PG_COMMON_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>

struct dsm_segment;
struct shm_toc;

namespace tviews::pg {

struct Segment {
  dsm_segment* memory = nullptr;
  shm_toc* contents = nullptr;
};

// With room for pieces of these sizes. `magic` tells whose it is.
Segment MakeSegment(std::uint64_t magic, std::initializer_list<std::size_t> sizes);

// Such a piece, found again by `key`.
char* TakePiece(const Segment& segment, std::uint64_t key, std::size_t size);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_SEGMENT_H_
