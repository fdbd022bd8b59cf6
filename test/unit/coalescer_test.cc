#include "worker/core/coalescer.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "random_seed.h"

namespace tviews::worker {
namespace {

constexpr std::size_t kUnlimited = 1'000'000'000;
const Layout kLayout{.columns = {{1, 23}}, .changed = {}};

TviewDefinition Tview(RelationId relation, const std::vector<RelationId>& sources) {
  TviewDefinition tview;
  tview.relation = relation;
  for (const RelationId source : sources) tview.sources.emplace_back().source = source;
  return tview;
}

ChangeRecord Record(Timestamp written_at, RelationId relation, const std::string& key) {
  ChangeRecord record;
  record.written_at = written_at;
  record.deltas.Add(relation, kLayout, key);
  return record;
}

bool Holds(const DeltaSet& deltas, RelationId relation, const std::string& key) {
  const RelationDelta* const delta = deltas.Find(relation);
  return delta != nullptr && delta->keys().contains(kLayout) &&
         delta->keys().at(kLayout).contains(key);
}

// 10 reads table 1; 20, being filled, reads table 1 and TVIEW 10.
DependencyGraph GraphWithFill() {
  TviewDefinition filling = Tview(20, {1, 10});
  filling.fill = Fill{.snapshot = {.xmin = 100, .xmax = 110, .in_progress = {105}}, .creator = 107};
  return *DependencyGraph::Build({Tview(10, {1}), filling});
}

TEST(Coalescer, UnitesRecords) {
  const DependencyGraph graph = *DependencyGraph::Build({Tview(10, {1, 2})});
  Coalescer coalescer(graph, kUnlimited);
  coalescer.Fold(1, Record(50, 1, "a"));
  coalescer.Fold(2, Record(40, 1, "a"));
  coalescer.Fold(3, Record(60, 2, "b"));
  const DeltaSet& deltas = coalescer.DeltasFor(graph.order()[0]);
  EXPECT_EQ(deltas.key_count(), 2u);
  EXPECT_TRUE(Holds(deltas, 1, "a"));
  EXPECT_TRUE(Holds(deltas, 2, "b"));
  EXPECT_EQ(coalescer.records(), 3u);
  EXPECT_EQ(coalescer.oldest(), 40);
}

TEST(Coalescer, TakesATviewThatChangedAsAWholeForOneToCompare) {
  const DependencyGraph graph = *DependencyGraph::Build({Tview(10, {1}), Tview(20, {10})});
  Coalescer coalescer(graph, kUnlimited);
  ChangeRecord record = Record(50, 1, "a");
  record.deltas.MarkWhole(10);
  record.deltas.MarkWhole(2);
  coalescer.Fold(1, std::move(record));
  EXPECT_TRUE(coalescer.IsToCompare(10));
  EXPECT_FALSE(coalescer.IsToCompare(20));
  EXPECT_FALSE(coalescer.IsToCompare(2));
  const DeltaSet& deltas = coalescer.DeltasFor(graph.order()[1]);
  EXPECT_EQ(deltas.Find(10), nullptr);
  EXPECT_TRUE(Holds(deltas, 1, "a"));
  EXPECT_TRUE(deltas.Find(2)->is_whole());
}

TEST(Coalescer, ListsTheRelationsThatChanged) {
  const DependencyGraph graph = GraphWithFill();
  Coalescer coalescer(graph, kUnlimited);
  EXPECT_TRUE(coalescer.ChangedRelations().empty());
  coalescer.Fold(99, Record(1, 1, "covered"));
  DeltaSet refreshed;
  refreshed.MarkWhole(10);
  coalescer.FoldRefreshed(refreshed, 0);
  EXPECT_EQ(coalescer.ChangedRelations(), (std::vector<RelationId>{1, 10}));
}

TEST(Coalescer, StartsEmpty) {
  const DependencyGraph graph = GraphWithFill();
  const Coalescer coalescer(graph, kUnlimited);
  EXPECT_EQ(coalescer.records(), 0u);
  EXPECT_EQ(coalescer.oldest(), 0);
  for (const TviewDefinition& tview : graph.order()) {
    EXPECT_TRUE(coalescer.DeltasFor(tview).empty());
  }
}

TEST(Coalescer, KeepsFromATviewWhatItsFillCovers) {
  const DependencyGraph graph = GraphWithFill();
  Coalescer coalescer(graph, kUnlimited);
  coalescer.Fold(99, Record(1, 1, "before"));
  coalescer.Fold(105, Record(1, 1, "in progress"));
  coalescer.Fold(107, Record(1, 1, "creator"));
  coalescer.Fold(120, Record(1, 1, "after"));

  const DeltaSet& others = coalescer.DeltasFor(*graph.Find(10));
  EXPECT_EQ(others.key_count(), 4u);
  const DeltaSet& filling = coalescer.DeltasFor(*graph.Find(20));
  EXPECT_EQ(filling.key_count(), 3u);
  EXPECT_FALSE(Holds(filling, 1, "before"));
  EXPECT_TRUE(Holds(filling, 1, "in progress"));
  EXPECT_TRUE(Holds(filling, 1, "creator"));
  EXPECT_TRUE(Holds(filling, 1, "after"));
  EXPECT_EQ(coalescer.records(), 4u);
}

TEST(Coalescer, GivesAFillingTviewItsOwnSourcesOnly) {
  const DependencyGraph graph = GraphWithFill();
  Coalescer coalescer(graph, kUnlimited);
  coalescer.Fold(120, Record(1, 2, "other table"));
  EXPECT_TRUE(coalescer.DeltasFor(*graph.Find(20)).empty());
}

TEST(Coalescer, GivesEveryReaderWhatARefreshChanged) {
  const DependencyGraph graph = GraphWithFill();
  Coalescer coalescer(graph, kUnlimited);
  coalescer.Fold(99, Record(1, 1, "covered"));
  DeltaSet refreshed;
  refreshed.Add(10, kLayout, "row");
  coalescer.FoldRefreshed(refreshed, 0);
  EXPECT_TRUE(Holds(coalescer.DeltasFor(*graph.Find(20)), 10, "row"));
  EXPECT_TRUE(Holds(coalescer.DeltasFor(*graph.Find(10)), 10, "row"));
  EXPECT_EQ(coalescer.records(), 1u);
}

TEST(Coalescer, DegradesOverItsMemoryLimit) {
  const DependencyGraph graph = GraphWithFill();
  Coalescer coalescer(graph, 10'000);
  for (FullXid xid = 200; xid < 1'200; ++xid) {
    coalescer.Fold(xid, Record(1, 1, std::to_string(xid)));
  }
  coalescer.Fold(1'300, Record(1, 2, "small"));
  for (const RelationId relation : {10u, 20u}) {
    const DeltaSet& deltas = coalescer.DeltasFor(*graph.Find(relation));
    EXPECT_TRUE(deltas.Find(1)->is_whole());
    EXPECT_LE(deltas.bytes(), 5'000u);  // there are two sets
  }
  EXPECT_TRUE(Holds(coalescer.DeltasFor(*graph.Find(10)), 2, "small"));
}

TEST(Coalescer, DoesNotDependOnTheOrderOfRecords) {
  std::mt19937 random = SeededGenerator();
  const DependencyGraph graph = GraphWithFill();
  for (int round = 0; round < 50; ++round) {
    std::vector<std::pair<FullXid, ChangeRecord>> records;
    for (FullXid xid = 95; xid < 115; ++xid) {
      records.emplace_back(xid, Record(static_cast<Timestamp>(1 + Below(random, 1000)),
                                       1 + Below(random, 2), std::to_string(Below(random, 10))));
    }
    Coalescer in_order(graph, kUnlimited);
    for (const auto& [xid, record] : records) in_order.Fold(xid, record);
    std::shuffle(records.begin(), records.end(), random);
    Coalescer shuffled(graph, kUnlimited);
    for (const auto& [xid, record] : records) shuffled.Fold(xid, record);

    EXPECT_EQ(in_order.oldest(), shuffled.oldest());
    for (const TviewDefinition& tview : graph.order()) {
      const DeltaSet& expected = in_order.DeltasFor(tview);
      const DeltaSet& actual = shuffled.DeltasFor(tview);
      ASSERT_EQ(actual.relations().size(), expected.relations().size());
      for (const auto& [relation, delta] : expected.relations()) {
        EXPECT_EQ(actual.Find(relation)->keys(), delta.keys());
      }
    }
  }
}

}  // namespace
}  // namespace tviews::worker
