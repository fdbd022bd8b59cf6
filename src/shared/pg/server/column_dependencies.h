// What a column depends on: its type and its collation.
//
// Layer:   pg
// Sharing: the catalog, in the transaction
// Errors:  raises ereport

#ifndef PG_TVIEWS_SHARED_PG_SERVER_COLUMN_DEPENDENCIES_H_
#define PG_TVIEWS_SHARED_PG_SERVER_COLUMN_DEPENDENCIES_H_

#include "shared/types.h"

namespace tviews::pg {

// The column depends on this type and this collation, and on no other. `type` 0: on none.
void ReplaceTypeDependencies(RelationId relation, AttributeNumber number, TypeId type,
                             Oid32 collation);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_COLUMN_DEPENDENCIES_H_
