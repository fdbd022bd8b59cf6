#include "tviews.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

namespace tviews::simulation {
namespace {

LineagePath Direct(AttributeNumber column, std::vector<AttributeNumber> relevant) {
  return {.strategy = Strategy::kDirect,
          .captured = {{column, kInteger}},
          .part = {},
          .relevant = std::move(relevant),
          .lookup = "",
          .description = "direct"};
}

SourceLineage Source(RelationId relation, bool is_tview, LineagePath path) {
  SourceLineage source;
  source.source = relation;
  source.source_is_tview = is_tview;
  source.relevant = path.relevant;
  source.paths.push_back(std::move(path));
  return source;
}

std::vector<SourceLineage> SourcesOf(RelationId tview) {
  switch (tview) {
    case kTvParent:
    case kTvLaneParent:
      return {Source(kParent, false, Direct(kKeyColumn, {kKeyColumn, kValueColumn})),
              Source(kChild, false, Direct(kParentColumn, {kValueColumn, kParentColumn}))};
    case kTvChild:
      return {Source(kChild, false, Direct(kKeyColumn, {kKeyColumn, kValueColumn, kParentColumn})),
              Source(kParent, false,
                     {.strategy = Strategy::kLookup,
                      .captured = {{kKeyColumn, kInteger}},
                      .part = {},
                      .relevant = {kKeyColumn, kValueColumn},
                      .lookup = "children of the parents",
                      .description = "child.parent = parent.key"})};
    case kTvTotal:
    case kTvLaneTotal:
      return {Source(kChild, false,
                     {.strategy = Strategy::kFull,
                      .captured = {},
                      .part = {},
                      .relevant = {kValueColumn},
                      .lookup = "",
                      .description = "no key"})};
    case kTvGroup:
      return {Source(kChild, false, Direct(kGroupColumn, {kValueColumn, kGroupColumn}))};
    default:
      return {Source(kTvParent, true, Direct(kKeyColumn, {kKeyColumn, kValueColumn}))};
  }
}

TviewDefinition Define(RelationId tview) {
  TviewDefinition definition;
  definition.relation = tview;
  definition.entity = TviewName(tview);
  definition.key = {
      {.name = "id", .attribute = kKeyColumn, .type = kInteger, .is_image_equal = true}};
  definition.key_is_not_null = true;
  definition.sources = SourcesOf(tview);
  return definition;
}

template <typename Rows>
Contents Children(const Rows& rows, RelationId tview) {
  std::map<Key, Value> found;
  if (tview == kTvTotal) found[0] = 0;
  for (const SourceRow* const row : rows) {
    if (row->table != kChild) continue;
    found[tview == kTvTotal ? 0 : row->group] += 10000 + row->value;
  }
  return {found.begin(), found.end()};
}

template <typename Rows>
Contents Joined(const Rows& rows, RelationId tview) {
  Contents found;
  for (const SourceRow* const row : rows) {
    if (row->table != (tview == kTvChild ? kChild : kParent)) continue;
    Value value = Value{row->value} * 100000;
    bool is_found = tview != kTvChild;
    for (const SourceRow* const other : rows) {
      if (tview == kTvChild) {
        if (other->table != kParent || other->key != row->parent) continue;
        is_found = true;
        value += other->value;
      } else if (other->table == kChild && other->parent == row->key) {
        value += 10000 + other->value;
      }
    }
    if (is_found) found.emplace_back(row->key, value);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Contents OverParent(RelationId tview, Contents parents) {
  for (auto& [key, value] : parents) value = tview == kTvNested ? value * 3 + 1 : value + 5;
  return parents;
}

// Whose query it has.
RelationId TwinOf(RelationId tview) {
  if (tview == kTvLaneParent) return kTvParent;
  return tview == kTvLaneTotal ? kTvTotal : tview;
}

Contents OverRows(const Database& database, RelationId tview, const SnapshotBounds& snapshot) {
  std::vector<const SourceRow*> rows;
  for (const SourceRow& row : database.rows) {
    if (database.Sees(snapshot, 0, row)) rows.push_back(&row);
  }
  return tview == kTvTotal || tview == kTvGroup ? Children(rows, tview) : Joined(rows, tview);
}

bool IsNested(RelationId tview) { return tview == kTvNested || tview == kTvOver; }

}  // namespace

const char* TviewName(RelationId tview) {
  switch (tview) {
    case kTvParent:
      return "tv_parent";
    case kTvChild:
      return "tv_child";
    case kTvNested:
      return "tv_nested";
    case kTvTotal:
      return "tv_total";
    case kTvGroup:
      return "tv_group";
    case kTvOver:
      return "tv_over";
    case kTvLaneParent:
      return "tv_lane_parent";
    case kTvLaneTotal:
      return "tv_lane_total";
    default:
      return "?";
  }
}

const TviewDefinition& DefinitionOf(RelationId tview) {
  static const auto* const definitions = new std::vector<TviewDefinition>{
      Define(kTvParent), Define(kTvChild), Define(kTvNested),     Define(kTvTotal),
      Define(kTvGroup),  Define(kTvOver),  Define(kTvLaneParent), Define(kTvLaneTotal)};
  return (*definitions)[tview - kTvParent];
}

const DependencyGraph& InitialGraph() {
  static const auto* const graph = new DependencyGraph(
      *DependencyGraph::Build({DefinitionOf(kTvParent), DefinitionOf(kTvChild),
                               DefinitionOf(kTvNested), DefinitionOf(kTvTotal)}));
  return *graph;
}

Contents Query(const Database& database, RelationId tview, const SnapshotBounds& snapshot) {
  if (IsNested(tview)) return OverParent(tview, OverRows(database, kTvParent, snapshot));
  return OverRows(database, TwinOf(tview), snapshot);
}

Contents Compute(const Database& database, RelationId tview, const SnapshotBounds& snapshot,
                 FullXid own) {
  if (IsNested(tview)) return OverParent(tview, Stored(database, kTvParent, snapshot, own));
  return OverRows(database, TwinOf(tview), snapshot);
}

Contents Stored(const Database& database, RelationId tview, const SnapshotBounds& snapshot,
                FullXid own) {
  Contents contents;
  for (const Document& document : database.documents) {
    if (document.tview == tview && database.Sees(snapshot, own, document)) {
      contents.emplace_back(document.key, document.value);
    }
  }
  std::sort(contents.begin(), contents.end());
  return contents;
}

std::string Image(std::int32_t value) {
  std::string image(sizeof(value), '\0');
  std::memcpy(image.data(), &value, sizeof(value));
  return image;
}

std::int32_t FromImage(std::string_view image) {
  std::int32_t value = 0;
  std::memcpy(&value, image.data(), std::min(image.size(), sizeof(value)));
  return value;
}

// One of few combinations, each computed once.
const Captured& CapturedOf(const std::vector<RelationId>& tviews, RelationId relation) {
  thread_local std::map<std::pair<std::vector<RelationId>, RelationId>, Captured> known;
  const auto [found, is_new] = known.try_emplace({tviews, relation});
  if (!is_new) return found->second;
  std::set<CapturedColumn> columns;
  std::set<AttributeNumber> relevant;
  for (const RelationId tview : tviews) {
    for (const SourceLineage& source : DefinitionOf(tview).sources) {
      if (source.source != relation) continue;
      for (const CapturedColumn& column : source.captured()) columns.insert(column);
      relevant.insert(source.relevant.begin(), source.relevant.end());
    }
  }
  found->second = {{columns.begin(), columns.end()}, {relevant.begin(), relevant.end()}};
  return found->second;
}

}  // namespace tviews::simulation
