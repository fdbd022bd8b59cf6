#include "shared/dependency_graph.h"

#include <algorithm>
#include <set>

#include "gtest/gtest.h"
#include "random_seed.h"

namespace tviews {
namespace {

using Positions = std::vector<std::size_t>;

TviewDefinition Tview(RelationId relation, const std::vector<RelationId>& sources) {
  TviewDefinition tview;
  tview.relation = relation;
  tview.qualified_name = "tv_" + std::to_string(relation);
  for (const RelationId source : sources) tview.sources.emplace_back().source = source;
  return tview;
}

std::vector<RelationId> Order(const DependencyGraph& graph) {
  std::vector<RelationId> order;
  for (const TviewDefinition& tview : graph.order()) order.push_back(tview.relation);
  return order;
}

TEST(DependencyGraph, IsEmptyWithoutTviews) {
  const auto graph = DependencyGraph::Build({});
  ASSERT_TRUE(graph.ok());
  EXPECT_TRUE(graph->order().empty());
  EXPECT_EQ(graph->Find(1), nullptr);
  EXPECT_TRUE(graph->Readers(1).empty());
  EXPECT_TRUE(graph->Reachable(1).empty());
}

TEST(DependencyGraph, OrdersATviewAfterThoseThatItReads) {
  const auto graph = DependencyGraph::Build({Tview(10, {30}), Tview(20, {1}), Tview(30, {20, 1})});
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(Order(*graph), (std::vector<RelationId>{20, 30, 10}));
}

TEST(DependencyGraph, OrdersIndependentTviewsByRelationId) {
  const auto graph = DependencyGraph::Build({Tview(40, {1}), Tview(10, {1}), Tview(20, {40})});
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(Order(*graph), (std::vector<RelationId>{10, 40, 20}));
}

TEST(DependencyGraph, FindsTviewsAndReaders) {
  const auto graph =
      DependencyGraph::Build({Tview(10, {1, 1, 2}), Tview(20, {1}), Tview(30, {20})});
  ASSERT_TRUE(graph.ok());
  ASSERT_NE(graph->Find(20), nullptr);
  EXPECT_EQ(graph->Find(20)->qualified_name, "tv_20");
  EXPECT_EQ(graph->Find(1), nullptr);
  EXPECT_EQ(graph->Readers(1), (Positions{0, 1}));
  EXPECT_EQ(graph->Readers(2), (Positions{0}));
  EXPECT_EQ(graph->Readers(20), (Positions{2}));
  EXPECT_TRUE(graph->Readers(30).empty());
}

TEST(DependencyGraph, ReachesTviewsThroughTviews) {
  const auto graph = DependencyGraph::Build(
      {Tview(10, {1}), Tview(20, {2}), Tview(30, {10}), Tview(40, {30, 20}), Tview(50, {3})});
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->Reachable(1), (Positions{0, 2, 3}));
  EXPECT_EQ(graph->Reachable(2), (Positions{1, 3}));
  EXPECT_EQ(graph->Reachable(40), Positions{});
}

TEST(DependencyGraph, NamesThePathOfACycle) {
  TviewDefinition a = Tview(10, {1, 20});
  TviewDefinition b = Tview(20, {10});
  a.qualified_name = "tv_a";
  b.qualified_name = "tv_b";
  const auto graph = DependencyGraph::Build({b, a, Tview(5, {10}), Tview(30, {1})});
  ASSERT_EQ(graph.status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(graph.status().message());
  EXPECT_NE(message.find("tv_a reads tv_b reads tv_a"), std::string::npos) << message;
  EXPECT_EQ(message.find("tv_5"), std::string::npos) << message;
}

TEST(DependencyGraph, RefusesATviewThatReadsItself) {
  const auto graph = DependencyGraph::Build({Tview(10, {10})});
  ASSERT_EQ(graph.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(graph.status().message()).find("tv_10 reads tv_10"), std::string::npos);
}

TEST(DependencyGraph, RefusesATviewGivenTwice) {
  const auto graph = DependencyGraph::Build({Tview(10, {1}), Tview(10, {2})});
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DependencyGraph, TakesAVeryDeepChain) {
  constexpr RelationId kDepth = 100'000;
  std::vector<TviewDefinition> tviews;
  for (RelationId i = 0; i < kDepth; ++i)
    tviews.push_back(Tview(kDepth - i + 10, {kDepth - i + 9}));
  const auto graph = DependencyGraph::Build(tviews);
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->Reachable(10).size(), kDepth);

  tviews.back().sources.emplace_back().source = kDepth + 10;
  EXPECT_EQ(DependencyGraph::Build(std::move(tviews)).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(DependencyGraph, OrdersAnyAcyclicGraph) {
  std::mt19937 random = SeededGenerator();
  for (int round = 0; round < 20; ++round) {
    // TVIEW i reads some of those before it; relation ids are shuffled.
    constexpr std::uint32_t kTviews = 1'000;
    std::vector<RelationId> ids(kTviews);
    for (std::uint32_t i = 0; i < kTviews; ++i) ids[i] = 100 + i;
    std::shuffle(ids.begin(), ids.end(), random);
    std::vector<TviewDefinition> tviews;
    for (std::uint32_t i = 0; i < kTviews; ++i) {
      std::vector<RelationId> sources = {1 + Below(random, 5)};
      for (std::uint32_t n = i == 0 ? 0 : Below(random, 4); n > 0; --n) {
        sources.push_back(ids[Below(random, i)]);
      }
      tviews.push_back(Tview(ids[i], sources));
    }
    std::shuffle(tviews.begin(), tviews.end(), random);
    const auto graph = DependencyGraph::Build(std::move(tviews));
    ASSERT_TRUE(graph.ok()) << graph.status();
    ASSERT_EQ(graph->order().size(), kTviews);
    std::set<RelationId> placed = {1, 2, 3, 4, 5};
    for (const TviewDefinition& tview : graph->order()) {
      for (const SourceLineage& source : tview.sources) ASSERT_TRUE(placed.contains(source.source));
      placed.insert(tview.relation);
    }
  }
}

}  // namespace
}  // namespace tviews
