// Counts of durations, from which quantiles are read.
//
// Layer:   core
// Sharing: shared memory; every access is atomic
// Errors:  cannot fail
//
// Buckets grow by a quarter of a power of two, from 1 us to 2.4 hours; what is longer counts in the
// last one. A quantile is interpolated within its bucket, so it is off by a quarter at most.

#ifndef PG_TVIEWS_SHARED_HISTOGRAM_H_
#define PG_TVIEWS_SHARED_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "shared/shared_counter.h"

namespace tviews {

inline constexpr std::size_t kHistogramBuckets = 128;

struct Histogram {
  SharedCounter buckets[kHistogramBuckets];

  void Add(std::uint64_t microseconds);
  void Clear();
};

// The bucket of a duration, and the shortest duration of a bucket.
std::size_t BucketOf(std::uint64_t microseconds);
std::uint64_t BucketStart(std::size_t bucket);

// A histogram as it was at one moment.
class HistogramCopy {
 public:
  explicit HistogramCopy(const Histogram& histogram);

  std::uint64_t count() const { return count_; }
  // The duration in microseconds below which `share` (0 to 1) of the durations are; 0 if there are
  // none.
  double Quantile(double share) const;

 private:
  std::array<std::uint64_t, kHistogramBuckets> buckets_;
  std::uint64_t count_ = 0;
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_HISTOGRAM_H_
