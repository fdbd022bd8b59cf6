// Conditions that compare a column of one range table entry with something else.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises; only for use inside the planner

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_COMPARISON_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_COMPARISON_H_

struct Node;
struct Query;
struct Var;

namespace tviews::pg {

struct Comparison {
  Var* column;
  Node* value;
  unsigned operator_id;
  unsigned collation;
  bool is_equality;  // with one value, not with the elements of an array
};

// False: `expr` is not such a condition on `entry`, whose value is the same for all its rows.
bool ParseComparison(Node* expr, int entry, Comparison* comparison);

// Without relabelling on top.
Node* StripRelabel(Node* node);

// The comparison `expr` of the query that reads `subquery` as `entry`, with the expression that
// `subquery` computes instead of its column. Null if that cannot stand in a WHERE.
Node* TranslateComparison(Node* expr, const Comparison& comparison, int entry, Query* subquery);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_COMPARISON_H_
