#include "worker/core/lane_deltas.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "random_seed.h"

namespace tviews::worker {
namespace {

constexpr RelationId kMeta = 1;
constexpr RelationId kSource = 10;
constexpr RelationId kOther = 11;
constexpr RelationId kTview = 20;

std::vector<TviewDefinition> Reader() {
  TviewDefinition tview;
  tview.relation = kTview;
  SourceLineage source;
  source.source = kSource;
  source.relevant = {2, 3};
  tview.sources.push_back(source);
  return {tview};
}

Layout Changed(std::vector<AttributeNumber> columns) {
  Layout layout;
  layout.changed = std::move(columns);
  return layout;
}

TEST(LaneDeltas, OnlyWhatTheLaneReadsIsHandedOver) {
  DeltaSet deltas;
  deltas.Add(kSource, Changed({2}), "key");
  deltas.Add(kOther, Changed({2}), "key");
  const DeltaSet own = DeltasForLane(Reader(), deltas, kMeta);
  ASSERT_EQ(own.relations().size(), 1U);
  EXPECT_EQ(own.Find(kSource)->key_count(), 1U);
}

TEST(LaneDeltas, ChangesOfColumnsThatNobodyReadsStay) {
  DeltaSet deltas;
  deltas.Add(kSource, Changed({5}), "key");
  EXPECT_TRUE(DeltasForLane(Reader(), deltas, kMeta).empty());
}

TEST(LaneDeltas, WholeRelationsComparisonsAndMetadataAreHandedOver) {
  DeltaSet deltas;
  deltas.MarkWhole(kSource);
  deltas.MarkWhole(kTview);
  deltas.MarkWhole(kOther);
  deltas.MarkWhole(kMeta);
  const DeltaSet own = DeltasForLane(Reader(), deltas, kMeta);
  EXPECT_EQ(own.relations().size(), 3U);
  EXPECT_EQ(own.Find(kOther), nullptr);
  EXPECT_EQ(DeltasForLane({}, deltas, kMeta).relations().size(), 1U);
}

// As the server takes them: `ended` transactions out of 1 .. `begun`.
SnapshotBounds Take(const std::vector<bool>& ended) {
  SnapshotBounds bounds;
  bounds.xmax = 1;
  for (std::size_t xid = 1; xid < ended.size(); ++xid) {
    if (ended[xid]) bounds.xmax = xid + 1;
  }
  bounds.xmin = bounds.xmax;
  for (FullXid xid = 1; xid < bounds.xmax; ++xid) {
    if (ended[xid]) continue;
    if (bounds.in_progress.empty()) bounds.xmin = xid;
    bounds.in_progress.push_back(xid);
  }
  return bounds;
}

TEST(LaneDeltas, ASnapshotIsWithinAnotherIfEveryTransactionIs) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 2000; ++round) {
    std::vector<bool> earlier(12), later(12);
    for (std::size_t xid = 1; xid < earlier.size(); ++xid) {
      earlier[xid] = random() % 2 == 0;
      later[xid] = random() % 2 == 0 || (round % 2 == 0 && earlier[xid]);
    }
    bool is_within = true;
    for (std::size_t xid = 1; xid < earlier.size(); ++xid) {
      if (earlier[xid] && !later[xid]) is_within = false;
    }
    EXPECT_EQ(IsWithin(Take(earlier), Take(later)), is_within);
  }
}

}  // namespace
}  // namespace tviews::worker
