// Aggregates that can be taken apart again: what a group state keeps of each, and how its value
// follows from that.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises
//
// All parts are sums over rows with weights, so that a row is taken out by its negative. Sums of
// numeric are kept apart by display scale, and NaN, the infinities and NULL by classes of their
// own: what is left when the last 1.00 goes is what the server would print.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_

struct Aggref;
struct List;

namespace tviews::pg {

// The texts of a state's columns, of rows c with weights.
struct GroupParts {
  List* classes;  // of char*: integers, by which rows are kept apart
  List* sums;     // of char*: numeric
};

// True of an aggregate of one of these kinds, whatever its arguments are.
bool IsTakenApart(const Aggref* aggregate);

// Adds to `parts` what the aggregate needs; returns its value, of rows s of a state. `context`:
// how its arguments are deparsed. REQUIRES: IsTakenApart.
char* TakeApart(const Aggref* aggregate, List* context, GroupParts* parts);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_
