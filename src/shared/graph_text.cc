#include "shared/graph_text.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace tviews {
namespace {

struct Node {
  RelationId relation = 0;
  std::string name;
  const TviewDefinition* tview = nullptr;  // null: a source table
};

struct Edge {
  std::size_t from = 0;  // positions in Drawing::nodes
  std::size_t to = 0;
  Strategy strategy = Strategy::kFull;
};

struct Drawing {
  std::vector<Node> nodes;  // source tables, then TVIEWs, each by name
  std::vector<Edge> edges;
};

std::vector<Node> CollectNodes(const DependencyGraph& graph, const RelationNames& names) {
  std::map<RelationId, Node> nodes;
  const auto add = [&](RelationId relation) -> Node& {
    Node& node = nodes[relation];
    node.relation = relation;
    const auto name = names.find(relation);
    node.name = name == names.end() ? absl::StrCat(relation) : name->second;
    return node;
  };
  for (const TviewDefinition& tview : graph.order()) {
    add(tview.relation).tview = &tview;
    for (const SourceLineage& source : tview.sources) add(source.source);
  }
  std::vector<Node> list;
  for (auto& [relation, node] : nodes) list.push_back(std::move(node));
  std::sort(list.begin(), list.end(), [](const Node& a, const Node& b) {
    if ((a.tview == nullptr) != (b.tview == nullptr)) return a.tview == nullptr;
    return a.name < b.name;
  });
  return list;
}

Drawing Arrange(const DependencyGraph& graph, const RelationNames& names) {
  Drawing drawing;
  drawing.nodes = CollectNodes(graph, names);
  std::map<RelationId, std::size_t> positions;
  for (std::size_t i = 0; i < drawing.nodes.size(); ++i) {
    positions[drawing.nodes[i].relation] = i;
  }
  for (std::size_t i = 0; i < drawing.nodes.size(); ++i) {
    if (drawing.nodes[i].tview == nullptr) continue;
    for (const SourceLineage& source : drawing.nodes[i].tview->sources) {
      drawing.edges.push_back({positions[source.source], i, source.strategy()});
    }
  }
  std::sort(drawing.edges.begin(), drawing.edges.end(), [](const Edge& a, const Edge& b) {
    return a.from != b.from ? a.from < b.from : a.to < b.to;
  });
  return drawing;
}

std::string Mermaid(const Drawing& drawing) {
  std::string text = "flowchart LR\n";
  for (std::size_t i = 0; i < drawing.nodes.size(); ++i) {
    const Node& node = drawing.nodes[i];
    const std::string name =
        absl::StrReplaceAll(node.name, {{"#", "#35;"}, {"\"", "#quot;"}, {"\n", " "}});
    const bool is_table = node.tview == nullptr;
    absl::StrAppend(&text, "  n", i + 1, is_table ? "[(\"" : "[\"", name,
                    is_table ? "\")]\n" : "\"]\n");
  }
  for (const Edge& edge : drawing.edges) {
    absl::StrAppend(&text, "  n", edge.from + 1, " -->|", StrategyName(edge.strategy), "| n",
                    edge.to + 1, "\n");
  }
  return text;
}

std::string Dot(const Drawing& drawing) {
  std::string text = "digraph tviews {\n  rankdir = LR;\n";
  for (std::size_t i = 0; i < drawing.nodes.size(); ++i) {
    const Node& node = drawing.nodes[i];
    const std::string name = absl::StrReplaceAll(node.name, {{"\\", "\\\\"}, {"\"", "\\\""}});
    absl::StrAppend(&text, "  n", i + 1, " [label = \"", name,
                    "\", shape = ", node.tview == nullptr ? "cylinder" : "box", "];\n");
  }
  for (const Edge& edge : drawing.edges) {
    absl::StrAppend(&text, "  n", edge.from + 1, " -> n", edge.to + 1, " [label = \"",
                    StrategyName(edge.strategy), "\"];\n");
  }
  return text + "}\n";
}

std::string JsonString(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20) {
      quoted += "\\u00";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string Json(const Drawing& drawing) {
  std::string sources;
  std::string tviews;
  for (const Node& node : drawing.nodes) {
    if (node.tview == nullptr) {
      absl::StrAppend(&sources, sources.empty() ? "" : ", ", JsonString(node.name));
    } else {
      absl::StrAppend(&tviews, tviews.empty() ? "" : ", ", "{\"name\": ", JsonString(node.name),
                      ", \"entity\": ", JsonString(node.tview->entity), "}");
    }
  }
  std::string edges;
  for (const Edge& edge : drawing.edges) {
    absl::StrAppend(&edges, edges.empty() ? "" : ", ",
                    "{\"source\": ", JsonString(drawing.nodes[edge.from].name),
                    ", \"tview\": ", JsonString(drawing.nodes[edge.to].name), ", \"strategy\": \"",
                    StrategyName(edge.strategy), "\"}");
  }
  return absl::StrCat("{\"sources\": [", sources, "], \"tviews\": [", tviews, "], \"edges\": [",
                      edges, "]}");
}

}  // namespace

std::optional<GraphFormat> ParseGraphFormat(std::string_view name) {
  if (name == "mermaid") return GraphFormat::kMermaid;
  if (name == "dot") return GraphFormat::kDot;
  if (name == "json") return GraphFormat::kJson;
  return std::nullopt;
}

std::string DrawGraph(const DependencyGraph& graph, const RelationNames& names,
                      GraphFormat format) {
  const Drawing drawing = Arrange(graph, names);
  switch (format) {
    case GraphFormat::kMermaid:
      return Mermaid(drawing);
    case GraphFormat::kDot:
      return Dot(drawing);
    case GraphFormat::kJson:
      break;
  }
  return Json(drawing);
}

}  // namespace tviews
