// What the capture trigger keeps of a changed row.
//
// Layer:   pg
// Sharing: private to one process; follows the catalog's generation and relcache invalidation
// Errors:  returns Status
//
// A changed relation concerns every source among itself and its ancestors (partitions, inheritance
// children). For each of them: the captured columns (union over all TVIEWs that read it), and the
// relevant ones, as attribute numbers of the changed relation, matched by name.

#ifndef PG_TVIEWS_SHARED_PG_TABLES_CAPTURE_CONFIG_H_
#define PG_TVIEWS_SHARED_PG_TABLES_CAPTURE_CONFIG_H_

#include <vector>

#include "absl/status/statusor.h"
#include "shared/delta.h"
#include "shared/pg/server/datum_image.h"
#include "shared/pg/tables/row_filter.h"
#include "shared/types.h"

namespace tviews::pg {

// A column of a source, where it is in the changed relation.
struct MappedColumn {
  AttributeNumber in_source = 0;
  AttributeNumber in_changed = 0;
  TypeId type = 0;
  TypeShape shape;
};

struct CaptureTarget {
  RelationId source = 0;
  std::vector<MappedColumn> captured;  // ascending by in_source
  std::vector<MappedColumn> relevant;  // ascending by in_source
  // A column could not be found: every change counts as one of the whole relation.
  bool is_unmapped = false;
  // `captured` as a layout.
  Layout layout;
  // Versions that do not pass concern nobody.
  RowFilter filter;
  // Group states count the row versions, by the columns `counted`: `image_columns`.
  bool is_counted = false;
  std::vector<MappedColumn> counted;  // ascending by in_source
  std::vector<CapturedColumn> image_columns;
};

struct CaptureConfig {
  std::vector<CaptureTarget> targets;     // empty: nobody reads the relation
  AttributeNumber highest_attribute = 0;  // of the changed relation, that a target needs
};

// Registers the invalidation callback. Called once, from _PG_init.
void InitializeCaptureConfig();

// The configuration for changes of `relation`, read under the latest snapshot (ATTACKS A6) where
// the cached one is stale. Valid until the next call.
absl::StatusOr<const CaptureConfig*> CaptureConfigOf(RelationId relation);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_CAPTURE_CONFIG_H_
