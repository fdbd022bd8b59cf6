#include "shared/graph_text.h"

#include "gtest/gtest.h"

namespace tviews {
namespace {

TviewDefinition Tview(RelationId relation, const std::string& entity,
                      const std::vector<std::pair<RelationId, Strategy>>& sources) {
  TviewDefinition tview;
  tview.relation = relation;
  tview.entity = entity;
  for (const auto& [source, strategy] : sources) {
    SourceLineage& lineage = tview.sources.emplace_back();
    lineage.source = source;
    lineage.paths.emplace_back().strategy = strategy;
  }
  return tview;
}

DependencyGraph SmallGraph() {
  return *DependencyGraph::Build({Tview(10, "b", {{1, Strategy::kDirect}, {2, Strategy::kFull}}),
                                  Tview(20, "a", {{10, Strategy::kLookup}})});
}

const RelationNames kNames = {{1, "tb_2"}, {2, "tb_1"}, {10, "tv_b"}, {20, "tv_a"}};

TEST(GraphText, KnowsItsFormats) {
  EXPECT_EQ(ParseGraphFormat("mermaid"), GraphFormat::kMermaid);
  EXPECT_EQ(ParseGraphFormat("dot"), GraphFormat::kDot);
  EXPECT_EQ(ParseGraphFormat("json"), GraphFormat::kJson);
  EXPECT_EQ(ParseGraphFormat("JSON"), std::nullopt);
}

TEST(GraphText, DrawsMermaid) {
  EXPECT_EQ(DrawGraph(SmallGraph(), kNames, GraphFormat::kMermaid),
            "flowchart LR\n"
            "  n1[(\"tb_1\")]\n"
            "  n2[(\"tb_2\")]\n"
            "  n3[\"tv_a\"]\n"
            "  n4[\"tv_b\"]\n"
            "  n1 -->|full| n4\n"
            "  n2 -->|direct| n4\n"
            "  n4 -->|lookup| n3\n");
}

TEST(GraphText, DrawsDot) {
  EXPECT_EQ(DrawGraph(SmallGraph(), kNames, GraphFormat::kDot),
            "digraph tviews {\n"
            "  rankdir = LR;\n"
            "  n1 [label = \"tb_1\", shape = cylinder];\n"
            "  n2 [label = \"tb_2\", shape = cylinder];\n"
            "  n3 [label = \"tv_a\", shape = box];\n"
            "  n4 [label = \"tv_b\", shape = box];\n"
            "  n1 -> n4 [label = \"full\"];\n"
            "  n2 -> n4 [label = \"direct\"];\n"
            "  n4 -> n3 [label = \"lookup\"];\n"
            "}\n");
}

TEST(GraphText, DrawsJson) {
  EXPECT_EQ(DrawGraph(SmallGraph(), kNames, GraphFormat::kJson),
            "{\"sources\": [\"tb_1\", \"tb_2\"], "
            "\"tviews\": [{\"name\": \"tv_a\", \"entity\": \"a\"}, "
            "{\"name\": \"tv_b\", \"entity\": \"b\"}], "
            "\"edges\": [{\"source\": \"tb_1\", \"tview\": \"tv_b\", \"strategy\": \"full\"}, "
            "{\"source\": \"tb_2\", \"tview\": \"tv_b\", \"strategy\": \"direct\"}, "
            "{\"source\": \"tv_b\", \"tview\": \"tv_a\", \"strategy\": \"lookup\"}]}");
}

TEST(GraphText, QuotesNames) {
  const DependencyGraph graph = *DependencyGraph::Build({Tview(10, "q\"\\\n", {})});
  const RelationNames names = {{10, "\"q\\\""}};
  EXPECT_NE(DrawGraph(graph, names, GraphFormat::kMermaid).find("[\"#quot;q\\#quot;\"]"),
            std::string::npos);
  EXPECT_NE(DrawGraph(graph, names, GraphFormat::kDot).find("\"\\\"q\\\\\\\"\""),
            std::string::npos);
  EXPECT_NE(DrawGraph(graph, names, GraphFormat::kJson).find("\"q\\\"\\\\\\u000a\""),
            std::string::npos);
}

}  // namespace
}  // namespace tviews
