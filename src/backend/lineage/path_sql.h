// A path written as a query.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// The query joins the relation "pg_tviews_delta" (columns c<attribute number>) along the path and
// returns the columns of the key (LINEAGE H). Names in it are qualified. A path that ends in a
// captured column itself is direct and needs no query.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_PATH_SQL_H_
#define PG_TVIEWS_BACKEND_LINEAGE_PATH_SQL_H_

#include "backend/lineage/paths.h"
#include "backend/lineage/probes.h"
#include "shared/lineage.h"

namespace tviews::backend::lineage {

struct PlainColumn {
  AttributeNumber attribute;
  TypeId type;
};

struct PlainPath {
  RelationId source;
  Strategy strategy;
  PlainArray<PlainColumn> captured;  // ascending; of a direct path, as the key's columns are
  PlainArray<std::size_t> part;      // the columns of the key that it leads to; empty: all
  Bitmapset* relevant;               // that are read of the occurrence, as in ReadColumns
  const char* lookup;                // null unless kLookup
  const char* description;
  PlainArray<Probe> probes;
  const char* filter;  // which versions count (lineage/capture_filter.h); null: all
};

PlainPath* WritePath(const PathStart& start);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_PATH_SQL_H_
