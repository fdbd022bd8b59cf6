// Where conditions and range table entries stand in the join tree of one query level.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises; only for use inside the planner

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_JOIN_PLACES_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_JOIN_PLACES_H_

struct List;
struct Node;
struct Query;

namespace tviews::pg {

// One of the conditions that a WHERE or ON joins by AND.
struct Conjunct {
  Node* place;  // the FromExpr or JoinExpr whose condition it is
  Node* expr;
};

// Resolves the columns of joins in the join tree and in LATERAL entries. REQUIRED of the query that
// the other functions get.
void FlattenJoins(Query* query);

// A list of Conjunct*: those of the level, but not those of FULL joins.
List* ConjunctsOf(Query* query);

// True if rows of `entry` for which a conjunct at `place` is not true can be left out without
// changing what the rows above `place` are.
bool MayRestrict(Node* place, int entry);

// Sees to it that `entry` stands where it may refer to `other`, by exchanging sides of joins where
// that makes no difference. False: it may not.
bool LetRefer(Query* query, int entry, int other);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_JOIN_PLACES_H_
