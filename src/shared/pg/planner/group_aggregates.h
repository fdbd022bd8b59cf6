// Aggregates that can be taken apart again: what a group state keeps of each, and how its value
// follows from that.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises
//
// Sums are over rows with weights, so that a row is taken out by its negative. Sums of numeric are
// kept apart by display scale, and NaN, the infinities and NULL by classes of their own: what is
// left when the last 1.00 goes is what the server would print.
//
// An extreme, min or max, cannot be taken out. Where the one that is kept goes and no better one
// comes, it is marked as doubtful, and found anew in the tables. In a row's `m` each has two
// places: its text, and the mark. Among rows with weights the second place has the extreme of what
// goes.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_

#include "shared/types.h"

struct Aggref;
struct List;
struct Node;

namespace tviews::pg {

struct GroupExtreme {
  bool is_max;
  char* value;  // as a text over rows c
  TypeId type;
};

// What a state is made of. Texts are over rows c, whose columns are e1, e2 and so on.
struct GroupParts {
  const char* weight;  // of a row
  List* columns;       // of Node*
  List* classes;       // of char*: integers, by which rows are kept apart
  List* sums;          // of char*: numeric
  List* extremes;      // of GroupExtreme*
  List* values;        // of char*: texts of values that are counted once
  List* counts;        // integers: for each of them, its place in the sums, from 1
  bool has_counts;     // whether there will be some: known from the beginning
};

bool CountsDistinct(const Aggref* aggregate);

// True of an aggregate of one of these kinds, whatever its arguments are.
bool IsTakenApart(const Aggref* aggregate);

// Adds to `parts` what the aggregate needs; returns its value, of rows s of a state.
// REQUIRES: IsTakenApart.
char* TakeApart(const Aggref* aggregate, GroupParts* parts);

// "c.e3", which `node` becomes.
char* ColumnFor(Node* node, GroupParts* parts);

// The two places of an extreme among rows with weights.
char* ExtremesOfRows(const GroupExtreme* extreme, const char* weight);
// Those of a row s to which `excluded` is added, where it is the extreme at `place`, from 0.
char* MergedExtremes(const GroupExtreme* extreme, int place);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_
