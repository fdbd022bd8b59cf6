#include "shared/savepoint_deltas.h"

#include <string>

#include "gtest/gtest.h"

namespace tviews {
namespace {

constexpr RelationId kTable = 7;
constexpr RelationId kOther = 8;
const Layout kLayout{.columns = {{1, 23}}, .changed = {}};

bool Holds(const DeltaSet& deltas, RelationId relation, const std::string& key) {
  const RelationDelta* const delta = deltas.Find(relation);
  if (delta == nullptr || delta->is_whole()) return false;
  const auto keys = delta->keys().find(kLayout);
  return keys != delta->keys().end() && keys->second.contains(key);
}

TEST(SavepointDeltas, ReleasedSavepointIsPartOfTheLevelBelow) {
  SavepointDeltas deltas;
  deltas.Add(1, kTable, kLayout, "a");
  deltas.Add(2, kTable, kLayout, "b");
  deltas.BeginRelease(2);
  deltas.EndRelease(2);
  EXPECT_EQ(deltas.highest_level(), 1);
  EXPECT_EQ(deltas.key_count(), 2u);
  const DeltaSet all = deltas.TakeAll();
  EXPECT_TRUE(Holds(all, kTable, "a"));
  EXPECT_TRUE(Holds(all, kTable, "b"));
  EXPECT_TRUE(deltas.empty());
}

TEST(SavepointDeltas, RollbackDropsItsLevelAndThoseAboveIt) {
  SavepointDeltas deltas;
  deltas.Add(1, kTable, kLayout, "a");
  deltas.Add(2, kTable, kLayout, "b");
  deltas.Add(3, kTable, kLayout, "c");
  deltas.RollBack(2);
  EXPECT_EQ(deltas.key_count(), 1u);
  const DeltaSet all = deltas.TakeAll();
  EXPECT_TRUE(Holds(all, kTable, "a"));
  EXPECT_FALSE(Holds(all, kTable, "b"));
  EXPECT_FALSE(Holds(all, kTable, "c"));
}

TEST(SavepointDeltas, ReleaseWithoutChangesBelowMovesTheLevelDown) {
  SavepointDeltas deltas;
  deltas.Add(3, kTable, kLayout, "a");
  deltas.BeginRelease(3);
  deltas.EndRelease(3);
  EXPECT_EQ(deltas.highest_level(), 2);
  deltas.RollBack(3);
  EXPECT_FALSE(deltas.empty());
  deltas.RollBack(2);
  EXPECT_TRUE(deltas.empty());
}

TEST(SavepointDeltas, WhatIsNotedDuringAReleaseStaysApart) {
  SavepointDeltas deltas;
  deltas.Add(1, kTable, kLayout, "a");
  deltas.Add(2, kTable, kLayout, "b");
  deltas.BeginRelease(2);
  deltas.Add(2, kOther, kLayout, "late");
  deltas.EndRelease(2);
  EXPECT_EQ(deltas.highest_level(), 1);
  const DeltaSet all = deltas.TakeAll();
  EXPECT_TRUE(Holds(all, kTable, "b"));
  EXPECT_TRUE(Holds(all, kOther, "late"));
}

TEST(SavepointDeltas, KeysOfWhatIsWholeBelowAreNotKept) {
  SavepointDeltas deltas;
  deltas.MarkWhole(1, kTable);
  EXPECT_FALSE(deltas.Add(2, kTable, kLayout, "a"));
  EXPECT_TRUE(deltas.Add(2, kOther, kLayout, "a"));
  EXPECT_EQ(deltas.key_count(), 1u);
  // What is whole above is not whole once that is rolled back.
  deltas.MarkWhole(2, kOther);
  deltas.RollBack(2);
  EXPECT_TRUE(deltas.Add(1, kOther, kLayout, "b"));
}

TEST(SavepointDeltas, BeyondTheLimitUpperLevelsDegradeFirst) {
  SavepointDeltas deltas;
  deltas.Add(1, kTable, kLayout, "a");
  for (int i = 0; i < 10; ++i) deltas.Add(2, kOther, kLayout, std::to_string(i));
  deltas.KeepWithin(100);
  EXPECT_EQ(deltas.key_count(), 1u);
  deltas.RollBack(2);
  const DeltaSet all = deltas.TakeAll();
  EXPECT_TRUE(Holds(all, kTable, "a"));
  EXPECT_EQ(all.Find(kOther), nullptr);
}

}  // namespace
}  // namespace tviews
