// From every occurrence one path towards the key: a shortest-path tree per query level (LINEAGE
// I1).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// A Level is a Scope with a goal: the members that determine how the level is left, or, where it
// cannot be left by a column, only the members of levels around that conditions inside refer to
// (LINEAGE D1). Levels are made from the top down, so that what a hop leads to is already settled.
//
// (1) Costs strictly decrease along every hop, so the union of all hops for a goal is acyclic.
// (2) A scope has several levels where mates are involved (LINEAGE G): one for the rows themselves
//     and one per window or DISTINCT ON; a member then needs a path in each.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_PATHS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_PATHS_H_

#include "backend/lineage/exits.h"
#include "backend/lineage/joins.h"
#include "backend/lineage/recursion.h"

namespace tviews::backend::lineage {

struct Level;

enum class Step {
  kNone,  // no way to the key
  kHop,   // by conditions to another occurrence
  kExit,  // the member is a goal: out of the level by its columns
};

struct MemberState {
  Step step = Step::kNone;
  int cost = 0;
  // The rest of the path is valid only for rows in which the goal is not NULL-extended.
  bool assumes_goal = false;
  Occurrence* next = nullptr;   // kHop
  Level* next_level = nullptr;  // kHop: where `next` is a member
  bool is_lateral = false;      // kHop: between a computed occurrence and what it uses
  PlainArray<Expr*> conjuncts;  // kHop
  PlainArray<Expr*> columns;    // kExit: the level's exit columns over the member, or null
  Level* inside = nullptr;      // of a subquery: its level, once made
};

// How mates are found from the rows of a level's goal.
struct Mates {
  Occurrence* anchor = nullptr;
  PlainArray<Expr*> columns;  // the PARTITION BY or DISTINCT ON expressions of the anchor
  PlainArray<Oid32> equalities;
  Level* rows = nullptr;  // where to go on from the mates
};

struct Level {
  Scope* scope = nullptr;
  Level* outer = nullptr;         // the level of scope->parent
  const char* why_not = nullptr;  // why the level has no exit
  ExitRequest request;
  Mates* mates = nullptr;  // set: the level leads to mates
  // Set for a recursive CTE's query: from its rows forward to those that follow; or for its
  // recursive term: from the step's rows back to where the recursion started.
  Recursion* forward = nullptr;
  Recursion* backward = nullptr;
  bool allows_parts = false;         // may be left by some of the columns (LINEAGE K)
  ReducedJoins* plain = nullptr;     // joins as written
  ReducedJoins* for_goal = nullptr;  // for rows in which the goal is not NULL-extended
  PlainArray<MemberState> states;    // by member position
};

// A source's occurrence in a level: the start of one path.
struct PathStart {
  Occurrence* occurrence;
  Level* level;
};

struct Forest {
  Level* top = nullptr;
  PlainArray<PathStart> starts;
};

// `key` asks for the key column of the top scope.
Forest* FindPaths(Tree* tree, const ExitRequest& key);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_PATHS_H_
