// Comparisons with the clock that change at moments which a row determines.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// A deadline is a comparison, anywhere in the query, of an expression over the columns of one table
// with one over the clock and constants: expires_at > now(), day + 7 <= CURRENT_DATE. Between two
// moments it changes for the rows whose value lies between what the clock's side was and is; these
// rows then count as changed, and lead to keys by the paths of their occurrence.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_DEADLINES_H_
#define PG_TVIEWS_BACKEND_LINEAGE_DEADLINES_H_

#include "backend/lineage/paths.h"
#include "backend/lineage/plain.h"

namespace tviews::backend::lineage {

// A query that returns keys: `before`, a condition on the rows, `after`. One that returns a row
// where there is any stands for a comparison of the whole.
struct DeadlineQuery {
  const char* before;
  const char* after;
  bool is_whole;
};

struct PlainDeadline {
  RelationId relation;
  Node* expr;         // what an index may serve of the row's side, over varno 1
  const char* clock;  // the side of the clock, as SQL
  const char* type;   // its type
  const char* row;    // the other side, over the table r
  const char* row_type;
  const char* rough;  // the row's side in local time, where `row` is that as a moment; else null
  const char* table;
  bool changes_when_reached;  // also when the clock's side has just the row's value
  bool changes_when_passed;
  bool may_go_back;  // the clock's side, when local time does
  PlainArray<DeadlineQuery> queries;
};

// The deadlines of the query; false if it uses the clock otherwise, too. `key_type` is the type of
// its key.
bool FindDeadlines(const Tree* tree, const Forest* forest, TypeId key_type,
                   PlainArray<PlainDeadline*>* deadlines);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_DEADLINES_H_
