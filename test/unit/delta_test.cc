#include "shared/delta.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "gtest/gtest.h"
#include "random_seed.h"

namespace tviews {
namespace {

const Layout kInserted{.columns = {{1, 23}}, .changed = {}};
const Layout kUpdated{.columns = {{1, 23}}, .changed = {2}};

// Everything that a delta set holds, in an order that can be compared.
std::set<std::tuple<RelationId, Layout, std::string>> Contents(const DeltaSet& deltas) {
  std::set<std::tuple<RelationId, Layout, std::string>> contents;
  for (const auto& [relation, delta] : deltas.relations()) {
    if (delta.is_whole()) contents.emplace(relation, Layout(), "whole");
    for (const auto& [layout, keys] : delta.keys()) {
      for (const std::string& key : keys) contents.emplace(relation, layout, key);
    }
  }
  return contents;
}

// The bytes that a set with the same contents counts when it is built afresh.
std::size_t RecountedBytes(const DeltaSet& deltas) {
  std::size_t bytes = 0;
  for (const auto& [relation, delta] : deltas.relations()) {
    RelationDelta fresh;
    for (const auto& [layout, keys] : delta.keys()) {
      for (const std::string& key : keys) fresh.Add(layout, key);
    }
    EXPECT_EQ(delta.bytes(), fresh.bytes());
    bytes += fresh.bytes();
  }
  return bytes;
}

// One to ten changes of up to three relations; sometimes of a whole one.
DeltaSet RandomDeltas(std::mt19937& random) {
  DeltaSet deltas;
  for (std::uint32_t i = Below(random, 10) + 1; i > 0; --i) {
    const RelationId relation = 1 + Below(random, 3);
    if (Below(random, 20) == 0) {
      deltas.MarkWhole(relation);
    } else {
      const std::string key(1 + Below(random, 30), static_cast<char>('a' + Below(random, 3)));
      deltas.Add(relation, Below(random, 2) == 0 ? kInserted : kUpdated, key);
    }
  }
  return deltas;
}

DeltaSet Merged(const DeltaSet& a, const DeltaSet& b) {
  DeltaSet merged = a;
  merged.Merge(b);
  return merged;
}

TEST(RelationDelta, KeepsEveryKeyOnce) {
  RelationDelta delta;
  EXPECT_TRUE(delta.empty());
  EXPECT_TRUE(delta.Add(kInserted, "a"));
  const std::size_t bytes = delta.bytes();
  EXPECT_GT(bytes, 0u);
  EXPECT_FALSE(delta.Add(kInserted, "a"));
  EXPECT_EQ(delta.bytes(), bytes);
  EXPECT_EQ(delta.key_count(), 1u);
}

TEST(RelationDelta, KeepsKeysOfDifferentLayoutsApart) {
  RelationDelta delta;
  EXPECT_TRUE(delta.Add(kInserted, "a"));
  EXPECT_TRUE(delta.Add(kUpdated, "a"));
  EXPECT_EQ(delta.key_count(), 2u);
  EXPECT_EQ(delta.keys().size(), 2u);
}

TEST(RelationDelta, HoldsNoKeysOnceItIsWhole) {
  RelationDelta delta;
  delta.Add(kInserted, "a");
  delta.MarkWhole();
  EXPECT_TRUE(delta.is_whole());
  EXPECT_FALSE(delta.empty());
  EXPECT_FALSE(delta.Add(kInserted, "b"));
  RelationDelta other;
  other.Add(kUpdated, "c");
  delta.Merge(other);
  EXPECT_EQ(delta.key_count(), 0u);
  EXPECT_EQ(delta.bytes(), 0u);
}

TEST(RelationDelta, BecomesWholeByMerging) {
  RelationDelta delta;
  delta.Add(kInserted, "a");
  RelationDelta whole;
  whole.MarkWhole();
  delta.Merge(whole);
  EXPECT_TRUE(delta.is_whole());
  EXPECT_EQ(delta.bytes(), 0u);
}

TEST(DeltaSet, FindsTheDeltaOfARelation) {
  DeltaSet deltas;
  deltas.Add(7, kInserted, "a");
  ASSERT_NE(deltas.Find(7), nullptr);
  EXPECT_EQ(deltas.Find(7)->key_count(), 1u);
  EXPECT_EQ(deltas.Find(8), nullptr);
}

TEST(DeltaSet, CountsBytesAndKeysOverRelations) {
  DeltaSet deltas;
  deltas.Add(1, kInserted, "a");
  deltas.Add(2, kInserted, std::string(100, 'x'));
  EXPECT_EQ(deltas.key_count(), 2u);
  EXPECT_EQ(deltas.bytes(), deltas.Find(1)->bytes() + deltas.Find(2)->bytes());
  EXPECT_GT(deltas.Find(2)->bytes(), deltas.Find(1)->bytes() + 80);
  deltas.MarkWhole(2);
  EXPECT_EQ(deltas.bytes(), deltas.Find(1)->bytes());
  deltas.Clear();
  EXPECT_TRUE(deltas.empty());
  EXPECT_EQ(deltas.bytes(), 0u);
}

TEST(DeltaSet, MergesOneRelation) {
  DeltaSet source;
  source.Add(1, kInserted, "a");
  source.Add(2, kInserted, "b");
  DeltaSet deltas;
  deltas.Merge(1, *source.Find(1));
  deltas.Merge(3, RelationDelta());
  EXPECT_EQ(deltas.relations().size(), 1u);
  EXPECT_EQ(deltas.bytes(), source.Find(1)->bytes());
}

TEST(DeltaSet, DegradesTheLargestRelationsFirst) {
  DeltaSet deltas;
  for (int i = 0; i < 10; ++i) deltas.Add(1, kInserted, std::to_string(i));
  for (int i = 0; i < 30; ++i) deltas.Add(2, kInserted, std::to_string(i));
  for (int i = 0; i < 20; ++i) deltas.Add(3, kInserted, std::to_string(i));
  deltas.DegradeTo(deltas.bytes());
  EXPECT_EQ(deltas.key_count(), 60u);

  deltas.DegradeTo(deltas.bytes() - 1);
  EXPECT_TRUE(deltas.Find(2)->is_whole());
  EXPECT_EQ(deltas.key_count(), 30u);
  EXPECT_EQ(deltas.bytes(), RecountedBytes(deltas));

  deltas.DegradeTo(0);
  EXPECT_TRUE(deltas.Find(1)->is_whole());
  EXPECT_TRUE(deltas.Find(3)->is_whole());
  EXPECT_EQ(deltas.bytes(), 0u);
}

TEST(DeltaSet, MergesToTheUnion) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 300; ++round) {
    const DeltaSet a = RandomDeltas(random);
    const DeltaSet b = RandomDeltas(random);
    const DeltaSet merged = Merged(a, b);
    auto expected = Contents(a);
    expected.merge(Contents(b));
    std::erase_if(expected, [&](const auto& item) {
      const auto& [relation, layout, key] = item;
      return key != "whole" && expected.contains({relation, Layout(), "whole"});
    });
    EXPECT_EQ(Contents(merged), expected);
    EXPECT_EQ(merged.bytes(), RecountedBytes(merged));
    EXPECT_EQ(Contents(Merged(merged, merged)), Contents(merged));
    EXPECT_EQ(Merged(merged, b).bytes(), merged.bytes());
  }
}

TEST(DeltaSet, DoesNotDependOnTheOrderOfFolding) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 100; ++round) {
    std::vector<DeltaSet> parts;
    for (int i = 0; i < 8; ++i) parts.push_back(RandomDeltas(random));
    DeltaSet in_order;
    for (const DeltaSet& part : parts) in_order.Merge(part);
    std::shuffle(parts.begin(), parts.end(), random);
    DeltaSet shuffled;
    for (std::size_t i = 0; i < parts.size(); i += 2)
      shuffled.Merge(Merged(parts[i], parts[i + 1]));
    EXPECT_EQ(Contents(shuffled), Contents(in_order));
    EXPECT_EQ(shuffled.bytes(), in_order.bytes());
  }
}

TEST(DeltaSet, LosesNothingByDegrading) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 300; ++round) {
    const DeltaSet exact = Merged(RandomDeltas(random), RandomDeltas(random));
    DeltaSet degraded = exact;
    const std::size_t limit = Below(random, 2000);
    degraded.DegradeTo(limit);
    EXPECT_LE(degraded.bytes(), limit);
    EXPECT_EQ(degraded.bytes(), RecountedBytes(degraded));
    for (const auto& [relation, layout, key] : Contents(exact)) {
      const RelationDelta* const delta = degraded.Find(relation);
      ASSERT_NE(delta, nullptr);
      EXPECT_TRUE(delta->is_whole() || delta->keys().at(layout).contains(key));
    }
  }
}

}  // namespace
}  // namespace tviews
