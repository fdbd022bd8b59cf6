// What is known about one TVIEW.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_TVIEW_DEFINITION_H_
#define PG_TVIEWS_SHARED_TVIEW_DEFINITION_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/definition_settings.h"
#include "shared/lane.h"
#include "shared/lineage.h"
#include "shared/types.h"

namespace tviews {

// A TVIEW's initial fill: records that its snapshot includes are already in the TVIEW, except those
// of its creator (whose own id a snapshot never lists).
struct Fill {
  SnapshotBounds snapshot;
  FullXid creator = 0;
  Timestamp clock = 0;  // what now() was for it; 0: it has used no clock

  // True if the record of `xid` need not be applied to the TVIEW again.
  bool Covers(FullXid xid) const { return xid != creator && snapshot.Includes(xid); }
};

// What the durable change feed says of a changed document.
enum class FeedContent : std::uint8_t { kNothing, kKeys, kData };

// A column of the key, which is the primary key of the TVIEW's table.
struct KeyColumn {
  std::string name;  // as stored, not quoted
  AttributeNumber attribute = 0;
  TypeId type = 0;
  // The operator under which the primary key is unique, whatever the search_path.
  std::string equality = "OPERATOR(pg_catalog.=)";
  // The operator that orders keys, downwards, as ORDER BY does.
  std::string greater = "OPERATOR(pg_catalog.>)";
  // Equal values have equal images (integers, uuid, text under a deterministic collation).
  bool is_image_equal = false;
};

struct TviewDefinition {
  RelationId relation = 0;
  RelationId backing_view = 0;
  std::string entity;          // "post"
  std::string qualified_name;  // quoted: public.tv_post
  std::string qualified_view;  // quoted: public.v_post
  std::vector<KeyColumn> key;  // one column or more
  // A column of the key can be NULL in the backing view's result only if this is false.
  bool key_is_not_null = false;
  // Rows whose key is NULL come and go only with changes from which lineage leads to NULL.
  bool tells_null_keys = false;
  RoleId owner = 0;
  DefinitionSettings settings;   // what the query runs with
  bool is_quarantined = false;   // as a whole
  bool is_undetermined = false;  // the same sources may give other rows
  std::vector<SourceLineage> sources;
  std::vector<RelationId> nested_views;      // plain views that the backing view reads
  std::optional<Fill> fill;                  // until the first batch that sees the TVIEW
  bool notifies = false;                     // pg_tviews.notify
  FeedContent feed = FeedContent::kNothing;  // pg_tviews.feed
  // Instead of the settings of these names, in their units.
  std::optional<std::uint64_t> refresh_timeout;
  std::optional<std::uint64_t> refresh_memory;
  std::string lane = kMainLane;             // pg_tviews.lane
  std::optional<std::uint64_t> lag_target;  // pg_tviews.lag_target, in ms

  // Equal keys have equal images (key_image.h).
  bool key_is_image_equal() const {
    return std::all_of(key.begin(), key.end(),
                       [](const KeyColumn& column) { return column.is_image_equal; });
  }
  bool has_feed() const { return notifies || feed != FeedContent::kNothing; }
};

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_TVIEW_DEFINITION_H_
