// Whether an index finds the rows that conditions ask for, and which one would.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// An index serves a probe if it is valid, not partial, finds equal values (btree or hash), and its
// first columns are among those that the probe compares: as many as are needed to leave few rows.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_INDEX_MATCH_H_
#define PG_TVIEWS_BACKEND_LINEAGE_INDEX_MATCH_H_

#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

// An expression over one row that is compared with a value by an equality operator.
struct ProbePart {
  Node* expr;  // over varno 1
  Oid32 equality;
  Oid32 collation;
};

// What refresh or a lookup finds rows of a relation by, all of it together.
struct Probe {
  RelationId relation;
  PlainArray<ProbePart> parts;
  const char* description;
};

// Adds a part: `side` compared by `equality`, whose first argument it is, under `collation`. Not
// where no index could find it.
void AddPart(Node* side, Oid32 equality, Oid32 collation, Probe* probe);

// The same over column `attribute` alone, compared as its type does by default.
void AddColumn(AttributeNumber attribute, Probe* probe);

bool AreSame(const Probe& left, const Probe& right);
// True if an index on `other` serves `probe` as well.
bool BeginsWith(const Probe& other, const Probe& probe);

// True if an index serves the probe, if the relation can have none, or if it is so small that none
// would be used.
bool IsServed(const Probe& probe);

// "fk_post, lower(code)": the columns of the index that would serve the probe, as in CREATE INDEX.
const char* IndexColumns(const Probe& probe);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_INDEX_MATCH_H_
