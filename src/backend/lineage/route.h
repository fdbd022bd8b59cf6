// A path followed from the changed row to the key, and shortened.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// A route is the FROM list and the conditions of a lookup. It is shortened where a column on it
// equals the key by the key type's default equality (LINEAGE E); if that is a column of the changed
// row itself, no query is needed.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_ROUTE_H_
#define PG_TVIEWS_BACKEND_LINEAGE_ROUTE_H_

#include "backend/lineage/paths.h"

namespace tviews::backend::lineage {

// One item of the lookup's FROM; instance number i + 1 is varno i + 1. The first is the delta.
struct Instance {
  Occurrence* occurrence;
  RangeTblEntry* rte;
  int uses;    // of a computed one: the instance that it uses, or 0
  int serves;  // there only because this computed instance uses it, or 0
};

struct Route;

// A recursion inside a lookup: the rows of `first`, and those of `step`, whose first instance is
// the recursion itself, until nothing new comes.
struct Recurring {
  Route* first;
  Route* step;
};

// Expressions are over instances: varno is the instance's number. The first instance is the changed
// row, or, after a recursion, the last of them.
struct Route {
  PlainArray<Recurring> recursions;
  PlainArray<Instance> instances;
  PlainArray<List*> conditions;  // conditions[i]: those that came with instances[i]
  PlainArray<Expr*> outputs;     // the key's columns; of a recursion, those that it carries
  PlainArray<std::size_t> part;  // which columns of the key the outputs are; empty: all
  const char* why_not = nullptr;
};

// What recursions are called in a lookup: this and a number, counted from 1.
constexpr char kNodeName[] = "pg_tviews_node";

// Follows the path of `start`; sets why_not where it does not reach the key.
void FollowPath(const PathStart& start, Route* route);

// Cuts the route at the first instance from which on all columns of the key are known, as columns
// that equal them, and makes those the key. Where they are columns of the changed row alone, adds
// these to `direct`.
void ShortenRoute(Route* route, PlainArray<Var*>* direct);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_ROUTE_H_
