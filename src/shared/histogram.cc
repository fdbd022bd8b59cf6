#include "shared/histogram.h"

#include <algorithm>
#include <bit>

namespace tviews {
namespace {

// Buckets per power of two, and its logarithm.
constexpr int kSteps = 4;
constexpr int kStepBits = 2;

}  // namespace

std::size_t BucketOf(std::uint64_t microseconds) {
  if (microseconds < kSteps) return microseconds;
  const int exponent = std::bit_width(microseconds) - 1;
  const std::uint64_t step = (microseconds >> (exponent - kStepBits)) & (kSteps - 1);
  const std::size_t bucket = static_cast<std::size_t>(exponent - 1) * kSteps + step;
  return std::min(bucket, kHistogramBuckets - 1);
}

std::uint64_t BucketStart(std::size_t bucket) {
  if (bucket < kSteps) return bucket;
  const std::size_t exponent = bucket / kSteps + 1;
  return (kSteps + bucket % kSteps) << (exponent - kStepBits);
}

void Histogram::Add(std::uint64_t microseconds) { buckets[BucketOf(microseconds)].Add(1); }

void Histogram::Clear() {
  for (SharedCounter& bucket : buckets) bucket.Store(0);
}

HistogramCopy::HistogramCopy(const Histogram& histogram) {
  for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
    buckets_[i] = histogram.buckets[i].Load();
    count_ += buckets_[i];
  }
}

double HistogramCopy::Quantile(double share) const {
  const double wanted = share * static_cast<double>(count_);
  double below = 0;
  for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
    if (buckets_[i] == 0) continue;
    const double here = static_cast<double>(buckets_[i]);
    if (below + here < wanted) {
      below += here;
      continue;
    }
    const double start = static_cast<double>(BucketStart(i));
    const double width = static_cast<double>(BucketStart(i + 1)) - start;
    return start + width * (wanted - below) / here;
  }
  return 0;
}

}  // namespace tviews
