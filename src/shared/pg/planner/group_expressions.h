// Which expressions group states are made of.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_EXPRESSIONS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_EXPRESSIONS_H_

struct Bitmapset;
struct Node;

namespace tviews::pg {

// True if `node` is made of immutable functions of the server, and of columns of `entries`.
bool IsOwn(Node* node, Bitmapset* entries);

// Attribute numbers of the columns of `entry` in an expression.
Bitmapset* ColumnsIn(Node* node, int entry);

// True if `node` is NULL, or with `or_false` false, where all columns are NULL. REQUIRES: IsOwn.
bool IsNothingOfNulls(Node* node, bool or_false);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_EXPRESSIONS_H_
