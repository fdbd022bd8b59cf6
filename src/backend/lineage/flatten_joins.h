// A query whose variables refer to the relations of its FROM, never to a join of them.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_FLATTEN_JOINS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_FLATTEN_JOINS_H_

struct Query;

namespace tviews::backend::lineage {

// In place, on this level. Joins lose their aliases, USING and NATURAL: their conditions say the
// same, and the query can still be written as text.
void FlattenJoins(Query* query);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_FLATTEN_JOINS_H_
