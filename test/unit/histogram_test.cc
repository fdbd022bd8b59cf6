#include "shared/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "random_seed.h"

namespace tviews {
namespace {

TEST(Histogram, PutsEveryDurationIntoTheBucketThatBeginsAtOrBelowIt) {
  for (std::uint64_t us : {0, 1, 3, 4, 5, 7, 8, 9, 10, 1000, 1023, 1024, 123456789}) {
    const std::size_t bucket = BucketOf(us);
    EXPECT_LE(BucketStart(bucket), us);
    EXPECT_GT(BucketStart(bucket + 1), us);
  }
}

TEST(Histogram, HasBucketsWithoutGapsThatGrowByAQuarterAtMost) {
  for (std::size_t bucket = 0; bucket + 1 < kHistogramBuckets; ++bucket) {
    const std::uint64_t next = BucketStart(bucket + 1);
    EXPECT_EQ(BucketOf(next - 1), bucket);
    EXPECT_EQ(BucketOf(next), bucket + 1);
    if (bucket >= 4) {
      EXPECT_LE(next * 4, BucketStart(bucket) * 5);
    }
  }
}

TEST(Histogram, CountsWhatIsLongerThanAllBucketsInTheLast) {
  EXPECT_EQ(BucketOf(~std::uint64_t{0}), kHistogramBuckets - 1);
  EXPECT_GT(BucketStart(kHistogramBuckets - 1), 2ull * 3600 * 1000000);
}

TEST(Histogram, IsEmptyUntilSomethingIsAddedAndAfterClear) {
  Histogram histogram{};
  EXPECT_EQ(HistogramCopy(histogram).count(), 0u);
  EXPECT_EQ(HistogramCopy(histogram).Quantile(0.5), 0);
  histogram.Add(17);
  EXPECT_EQ(HistogramCopy(histogram).count(), 1u);
  histogram.Clear();
  EXPECT_EQ(HistogramCopy(histogram).count(), 0u);
}

TEST(Histogram, FindsQuantilesOfRandomDurationsWithinAQuarter) {
  std::mt19937 random = SeededGenerator();
  std::lognormal_distribution<double> durations(8, 2);
  Histogram histogram{};
  std::vector<double> sorted;
  for (int i = 0; i < 10000; ++i) {
    sorted.push_back(std::floor(durations(random)) + 4);
    histogram.Add(static_cast<std::uint64_t>(sorted.back()));
  }
  std::sort(sorted.begin(), sorted.end());
  const HistogramCopy copy(histogram);
  for (const double share : {0.01, 0.5, 0.95, 0.99, 1.0}) {
    const double exact = sorted[static_cast<std::size_t>(share * 9999)];
    EXPECT_NEAR(copy.Quantile(share) / exact, 1, 0.25) << share;
  }
}

}  // namespace
}  // namespace tviews
