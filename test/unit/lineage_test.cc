#include "shared/lineage.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

SourceLineage WithPaths(std::vector<LineagePath> paths) {
  SourceLineage lineage;
  lineage.paths = std::move(paths);
  return lineage;
}

SourceLineage Reading(std::vector<AttributeNumber> relevant) {
  SourceLineage lineage;
  lineage.relevant = std::move(relevant);
  return lineage;
}

TEST(Lineage, NamesItsStrategies) {
  EXPECT_STREQ(StrategyName(Strategy::kDirect), "direct");
  EXPECT_STREQ(StrategyName(Strategy::kLookup), "lookup");
  EXPECT_STREQ(StrategyName(Strategy::kFull), "full");
}

TEST(Lineage, IsAsWeakAsItsWeakestPath) {
  const LineagePath direct{.strategy = Strategy::kDirect,
                           .captured = {},
                           .part = {},
                           .relevant = {},
                           .lookup = {},
                           .description = {}};
  const LineagePath lookup{.strategy = Strategy::kLookup,
                           .captured = {},
                           .part = {},
                           .relevant = {},
                           .lookup = {},
                           .description = {}};
  const LineagePath full{.strategy = Strategy::kFull,
                         .captured = {},
                         .part = {},
                         .relevant = {},
                         .lookup = {},
                         .description = {}};
  EXPECT_EQ(WithPaths({direct, direct}).strategy(), Strategy::kDirect);
  EXPECT_EQ(WithPaths({direct, lookup}).strategy(), Strategy::kLookup);
  EXPECT_EQ(WithPaths({lookup, full, direct}).strategy(), Strategy::kFull);
}

TEST(Lineage, IsFullWithoutAPath) { EXPECT_EQ(WithPaths({}).strategy(), Strategy::kFull); }

TEST(Lineage, CapturesTheUnionOfItsPathsColumns) {
  LineagePath one;
  one.captured = {{3, 23}, {1, 20}};
  LineagePath two;
  two.captured = {{1, 20}, {2, 25}};
  const std::vector<CapturedColumn> expected = {{1, 20}, {2, 25}, {3, 23}};
  EXPECT_EQ(WithPaths({one, two}).captured(), expected);
  EXPECT_TRUE(WithPaths({}).captured().empty());
}

TEST(Lineage, FindsInsertsAndDeletesAlwaysRelevant) {
  EXPECT_TRUE(Reading({2, 5}).IsRelevant({}));
  EXPECT_TRUE(Reading({}).IsRelevant({}));
}

TEST(Lineage, FindsAnUpdateRelevantThatChangedAColumnItReads) {
  EXPECT_TRUE(Reading({2, 5}).IsRelevant({1, 5}));
  EXPECT_FALSE(Reading({2, 5}).IsRelevant({1, 3, 4}));
  EXPECT_FALSE(Reading({}).IsRelevant({1}));
}

TEST(Lineage, FindsEveryUpdateRelevantToAWholeRowReference) {
  EXPECT_TRUE(Reading({0}).IsRelevant({7}));
  EXPECT_TRUE(Reading({0, 2}).IsRelevant({7}));
}

}  // namespace
}  // namespace tviews
