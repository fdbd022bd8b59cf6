// What group states keep of aggregates, and how the parts are noted.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_PARTS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_PARTS_H_

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
  bool is_nullable;    // an outer join makes rows s, which stand for one row each
};

// "c.e3", which `node` becomes.
char* ColumnFor(Node* node, GroupParts* parts);

Node* ArgumentNode(const Aggref* aggregate);
// The argument as a column, which is nothing where FILTER leaves the row out: all aggregates that
// have states leave nothing out, too.
char* ArgumentOf(const Aggref* aggregate, GroupParts* parts);

// The place of `text` in the array that `list` becomes, from 1; the same text is kept once.
int PlaceOf(char* text, List** list);

// Where the sums have how many rows meet `condition`.
int CountPlace(const char* condition, GroupParts* parts);

// Where a state has what sums of an argument are made of.
struct SumPlaces {
  int kind;     // in the classes; 0: the argument is an integer
  int count;    // of values, in the sums; likewise below
  int sum;      // of those that are numbers
  int squares;  // of them; 0: not asked for
};
SumPlaces SumPlacesOf(const Aggref* aggregate, bool with_squares, GroupParts* parts);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_PARTS_H_
