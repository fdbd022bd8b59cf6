// The TVIEWs of the simulation: their lineage for the core, and their queries for the oracle.
//
// Layer:   test
// Sharing: immutable
// Errors:  cannot fail
//
// tv_parent  key: parent   its value, sum and number of its children     direct, direct
// tv_child   key: child    its value and its parent's                    direct, lookup
// tv_nested  key: parent   of tv_parent                                  a TVIEW as a source
// tv_total   one row       sum and number of all children                full
// tv_group   key: group    sum and number of the children in a group     created later, new column
// tv_over    key: parent   of tv_parent                                  created later, nested
// tv_lane_parent, tv_lane_total: the same as tv_parent and tv_total, in another lane

#ifndef PG_TVIEWS_TEST_SIMULATION_TVIEWS_H_
#define PG_TVIEWS_TEST_SIMULATION_TVIEWS_H_

#include <string>
#include <vector>

#include "database.h"
#include "shared/delta.h"
#include "shared/dependency_graph.h"

namespace tviews::simulation {

inline constexpr RelationId kParent = 101;
inline constexpr RelationId kChild = 102;
inline constexpr RelationId kMeta = 103;
inline constexpr RelationId kTvParent = 201;
inline constexpr RelationId kTvChild = 202;
inline constexpr RelationId kTvNested = 203;
inline constexpr RelationId kTvTotal = 204;
inline constexpr RelationId kTvGroup = 205;
inline constexpr RelationId kTvOver = 206;
inline constexpr RelationId kTvLaneParent = 207;
inline constexpr RelationId kTvLaneTotal = 208;
inline constexpr int kParents = 3;
inline constexpr int kChildren = 4;

// Columns. Those of a TVIEW: its key, its value.
inline constexpr AttributeNumber kKeyColumn = 1;
inline constexpr AttributeNumber kValueColumn = 2;
inline constexpr AttributeNumber kParentColumn = 3;
inline constexpr AttributeNumber kGroupColumn = 4;

inline constexpr TypeId kInteger = 23;

const char* TviewName(RelationId tview);
const TviewDefinition& DefinitionOf(RelationId tview);
// Those that are there at the beginning, with the graph of them.
const DependencyGraph& InitialGraph();

// The query's result over the source rows that `snapshot` sees: the oracle.
Contents Query(const Database& database, RelationId tview, const SnapshotBounds& snapshot);
// The same as a batch, or a fill, computes it: over the stored documents of the TVIEWs it reads.
Contents Compute(const Database& database, RelationId tview, const SnapshotBounds& snapshot,
                 FullXid own);
// The stored documents.
Contents Stored(const Database& database, RelationId tview, const SnapshotBounds& snapshot,
                FullXid own);

// The image of an integer.
std::string Image(std::int32_t value);
std::int32_t FromImage(std::string_view image);

// What the TVIEWs of a graph need of a table.
struct Captured {
  std::vector<CapturedColumn> columns;
  std::vector<AttributeNumber> relevant;
};
const Captured& CapturedOf(const std::vector<RelationId>& tviews, RelationId relation);

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_TVIEWS_H_
