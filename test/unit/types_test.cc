#include "shared/types.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TEST(SnapshotBounds, IncludesWhatEndedBeforeXmin) {
  const SnapshotBounds snapshot{.xmin = 10, .xmax = 20, .in_progress = {10, 15}};
  EXPECT_TRUE(snapshot.Includes(9));
  EXPECT_TRUE(snapshot.Includes(0));
}

TEST(SnapshotBounds, ExcludesEverythingFromXmaxOn) {
  const SnapshotBounds snapshot{.xmin = 10, .xmax = 20, .in_progress = {10, 15}};
  EXPECT_FALSE(snapshot.Includes(20));
  EXPECT_FALSE(snapshot.Includes(FullXid{1} << 40));
}

TEST(SnapshotBounds, ExcludesThoseInProgressInBetween) {
  const SnapshotBounds snapshot{.xmin = 10, .xmax = 20, .in_progress = {10, 15}};
  EXPECT_FALSE(snapshot.Includes(10));
  EXPECT_TRUE(snapshot.Includes(14));
  EXPECT_FALSE(snapshot.Includes(15));
  EXPECT_TRUE(snapshot.Includes(19));
}

TEST(SnapshotBounds, DoesNotMixUpEpochs) {
  constexpr FullXid kEpoch = FullXid{1} << 32;
  const SnapshotBounds snapshot{
      .xmin = kEpoch + 5, .xmax = kEpoch + 9, .in_progress = {kEpoch + 5}};
  EXPECT_TRUE(snapshot.Includes(5));
  EXPECT_FALSE(snapshot.Includes(kEpoch + 5));
}

TEST(RowPointer, IsInvalidUntilSet) {
  EXPECT_FALSE(RowPointer().is_valid());
  EXPECT_TRUE((RowPointer{.block = 0, .offset = 1}).is_valid());
}

TEST(RowPointer, OrdersByBlockThenOffset) {
  EXPECT_LT((RowPointer{.block = 1, .offset = 9}), (RowPointer{.block = 2, .offset = 1}));
  EXPECT_LT((RowPointer{.block = 1, .offset = 1}), (RowPointer{.block = 1, .offset = 2}));
}

}  // namespace
}  // namespace tviews
