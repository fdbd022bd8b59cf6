#include "shared/cascade_path.h"

#include <string>

#include "gtest/gtest.h"

namespace tviews {
namespace {

TviewDefinition Tview(RelationId relation, const std::vector<RelationId>& sources) {
  TviewDefinition tview;
  tview.relation = relation;
  for (const RelationId source : sources) tview.sources.emplace_back().source = source;
  return tview;
}

std::string Path(std::vector<TviewDefinition> tviews, RelationId from) {
  const auto graph = DependencyGraph::Build(std::move(tviews));
  std::string text;
  for (const CascadeStep& step : FindCascadePath(*graph, from)) {
    text += std::to_string(step.depth) + ":" + std::to_string(step.tview->relation) + ":" +
            DependencyTypeName(step.type) + " ";
  }
  return text;
}

TEST(CascadePath, IsEmptyForAnUnknownTview) { EXPECT_EQ(Path({Tview(10, {1})}, 20), ""); }

TEST(CascadePath, StartsWithTheTviewItself) { EXPECT_EQ(Path({Tview(10, {1})}, 10), "0:10:self "); }

TEST(CascadePath, FollowsReadersToAnyDepth) {
  EXPECT_EQ(Path({Tview(10, {1}), Tview(20, {10}), Tview(30, {20, 2})}, 10),
            "0:10:self 1:20:tview 2:30:tview ");
}

TEST(CascadePath, IncludesThoseThatReadTheSameSource) {
  EXPECT_EQ(Path({Tview(10, {1, 2}), Tview(20, {2}), Tview(30, {20}), Tview(40, {3})}, 10),
            "0:10:self 1:20:source 2:30:tview ");
}

TEST(CascadePath, TakesTheShortestWay) {
  EXPECT_EQ(Path({Tview(10, {1}), Tview(20, {10}), Tview(30, {20}), Tview(40, {30, 20})}, 10),
            "0:10:self 1:20:tview 2:30:tview 2:40:tview ");
  EXPECT_EQ(Path({Tview(10, {1}), Tview(20, {10}), Tview(30, {20, 1})}, 10),
            "0:10:self 1:20:tview 1:30:source ");
}

TEST(CascadePath, GoesOnlyForward) {
  EXPECT_EQ(Path({Tview(10, {1}), Tview(20, {10}), Tview(30, {20})}, 30), "0:30:self ");
}

}  // namespace
}  // namespace tviews
