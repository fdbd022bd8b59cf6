// What inherits from a table, partitions among it, where others may drop it meanwhile.
//
// Layer:   shared/pg
// Sharing: nothing shared
// Errors:  server style: inside pg::Call only
//
// The server's functions fail with an internal error where one of them has been
// dropped.

#ifndef PG_TVIEWS_SHARED_PG_SERVER_INHERITORS_H_
#define PG_TVIEWS_SHARED_PG_SERVER_INHERITORS_H_

#include "shared/types.h"

struct List;

namespace tviews::pg {

// OIDs of `relation` and of everything below it, each once; without those that exist no more. What
// is below gets locked in `mode`, a LOCKMODE.
List* FindInheritors(RelationId relation, int mode);

// False if nothing inherits from `relation`, or if it exists no more.
bool MayHaveInheritors(RelationId relation);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_INHERITORS_H_
