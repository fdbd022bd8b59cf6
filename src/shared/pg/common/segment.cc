#include "shared/pg/common/segment.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <storage/dsm.h>
#include <storage/shm_toc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

Segment MakeSegment(std::uint64_t magic, std::initializer_list<std::size_t> sizes) {
  shm_toc_estimator estimator;
  shm_toc_initialize_estimator(&estimator);
  for (const std::size_t size : sizes) {
    shm_toc_estimate_chunk(&estimator, size);
    shm_toc_estimate_keys(&estimator, 1);
  }
  const std::size_t size = shm_toc_estimate(&estimator);
  Segment segment;
  segment.memory = dsm_create(size, 0);
  segment.contents = shm_toc_create(magic, dsm_segment_address(segment.memory), size);
  return segment;
}

char* TakePiece(const Segment& segment, std::uint64_t key, std::size_t size) {
  auto* const piece = static_cast<char*>(shm_toc_allocate(segment.contents, size));
  shm_toc_insert(segment.contents, key, piece);
  return piece;
}

}  // namespace tviews::pg
