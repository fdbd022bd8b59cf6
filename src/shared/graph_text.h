// The dependency graph as text for people and programs.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail
//
// Nodes are sources and TVIEWs, edges say by which strategy a TVIEW follows a source. The text
// depends on the names alone: nodes are sorted by name, sources before TVIEWs.

#ifndef PG_TVIEWS_SHARED_GRAPH_TEXT_H_
#define PG_TVIEWS_SHARED_GRAPH_TEXT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "shared/dependency_graph.h"
#include "shared/types.h"

namespace tviews {

enum class GraphFormat { kMermaid, kDot, kJson };

// "mermaid", "dot" or "json".
std::optional<GraphFormat> ParseGraphFormat(std::string_view name);

// What to call the relations; must name every source and every TVIEW of the graph.
using RelationNames = std::map<RelationId, std::string>;

std::string DrawGraph(const DependencyGraph& graph, const RelationNames& names, GraphFormat format);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_GRAPH_TEXT_H_
