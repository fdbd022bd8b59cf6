// Notices catalog changes of the relations that the applier uses.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  the invalidation callback cannot fail
//
// Catalogs are not read under the batch's snapshot S (ATTACKS A1). A batch therefore compares this
// count before S with the count once it holds its locks: whoever changes a relation sends the
// invalidation before it gives up its lock, and acquiring a lock takes pending invalidations in.

#ifndef PG_TVIEWS_SHARED_PG_TABLES_RELATION_WATCH_H_
#define PG_TVIEWS_SHARED_PG_TABLES_RELATION_WATCH_H_

#include <cstdint>
#include <vector>

#include "shared/types.h"

namespace tviews::pg {

// True of an invalidation of everything (0) under debug_discard_caches: the server pretends one at
// each look at a catalog. Who gives up when catalogs change would never get anywhere.
bool IsPretended(RelationId relation);

// Registers the callback. Called once per worker.
void InitializeRelationWatch();

// From now on these relations count, and no others. True if one of them did not count so far and
// RelationInvalidations() is not `before`, which it was before the snapshot: what has been
// invalidated since may have been that one.
bool WatchRelations(const std::vector<RelationId>& relations, std::uint64_t before);

bool IsWatched(RelationId relation);

// How often a watched relation, or everything, was invalidated.
std::uint64_t WatchedInvalidations();

// How often any relation, or everything, was invalidated.
std::uint64_t RelationInvalidations();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_RELATION_WATCH_H_
