#include "shared/pg/planner/narrow_query.h"

#include "shared/pg/planner/comparison.h"
#include "shared/pg/planner/join_places.h"
#include "shared/pg/planner/keep_partitions.h"
#include "shared/pg/planner/narrow_subquery.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/params.h>
#include <nodes/parsenodes.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <rewrite/rewriteManip.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::ForServer;
using compat::MutatorForServer;

constexpr int kMostCopies = 16;

// One query level while it is narrowed.
struct Level {
  Query* query;
  bool is_statement;   // the outermost level, where all conditions are about the key
  List* conjuncts;     // of Conjunct*, those on the key that are known from outside included
  int known;           // how many are
  List** conditions;   // by entry: what the key asks of it, true for all of its rows that matter
  Bitmapset* reached;  // entries of which only what the keys lead to is wanted
  Narrowing* narrowing;
};

// True if `node` has a parameter, or a column of a query further out than the one that the walk
// began in. `context`: an unsigned, how many queries deep the walk is.
bool HoldsKey(Node* node, void* context) {
  auto* const depth = static_cast<unsigned*>(context);
  if (node == nullptr) return false;
  if (IsA(node, Param)) return reinterpret_cast<Param*>(node)->paramkind == PARAM_EXTERN;
  if (IsA(node, Var)) return reinterpret_cast<Var*>(node)->varlevelsup > *depth;
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(HoldsKey), context);
  ++*depth;
  const bool found =
      query_tree_walker(reinterpret_cast<Query*>(node), ForServer(HoldsKey), context, 0);
  --*depth;
  return found;
}

RangeTblEntry* EntryAt(const Level& level, int entry) {
  return rt_fetch(entry, level.query->rtable);
}

bool IsGrouped(const RangeTblEntry* entry) {
  return entry->rtekind == RTE_SUBQUERY && !IsOpen(entry->subquery);
}

void FindWhereKeysAre(Level* level) {
  const int own = list_length(level->conjuncts) - level->known;
  for (int i = 0; i < list_length(level->conjuncts); ++i) {
    const auto* const conjunct = static_cast<Conjunct*>(list_nth(level->conjuncts, i));
    unsigned depth = 0;
    const bool is_known = i >= own || level->is_statement;
    if (!is_known && !HoldsKey(conjunct->expr, &depth)) continue;
    int entry = 0;
    if (!bms_get_singleton_member(pull_varnos(nullptr, conjunct->expr), &entry)) continue;
    if (!MayRestrict(conjunct->place, entry)) continue;
    level->conditions[entry] = lappend(level->conditions[entry], conjunct->expr);
    level->reached = bms_add_member(level->reached, entry);
  }
  for (int entry = 1; entry <= list_length(level->query->rtable); ++entry) {
    const RTEKind kind = EntryAt(*level, entry)->rtekind;
    if (kind == RTE_NAMEDTUPLESTORE || (kind == RTE_CTE && level->is_statement)) {
      level->reached = bms_add_member(level->reached, entry);
    }
  }
}

// The entry that an equality links with `entry`, 0 if it is no such condition.
int LinkedWith(Node* expr, int entry) {
  Comparison comparison;
  if (!ParseComparison(expr, entry, &comparison) || !comparison.is_equality) return 0;
  Node* const value = StripRelabel(comparison.value);
  if (!IsA(value, Var) || reinterpret_cast<Var*>(value)->varlevelsup != 0) return 0;
  return static_cast<int>(reinterpret_cast<Var*>(value)->varno);
}

// False: `entry` is no subquery, or takes nothing.
bool HandToSubquery(Level* level, int entry, Node* expr, int other) {
  RangeTblEntry* const target = EntryAt(*level, entry);
  if (target->rtekind != RTE_SUBQUERY || target->security_barrier) return false;
  if (!LetRefer(level->query, entry, other)) return false;
  if (!HandDown(expr, entry, target->subquery, level->narrowing)) return false;
  target->lateral = true;
  level->narrowing->is_narrower = true;
  return true;
}

// True if conditions with `other` can be of use for `entry`. A subquery that is told of them may
// come to refer to `other`, at any depth.
bool MayBeTold(Level* level, int entry, int other) {
  RangeTblEntry* const target = EntryAt(*level, entry);
  if (target->rtekind != RTE_SUBQUERY) return true;
  if (!LetRefer(level->query, entry, other)) return false;
  target->lateral = true;
  return true;
}

// By all its links with what has been reached before.
void Reach(Level* level, int entry) {
  ListCell* cell;
  foreach (cell, level->conjuncts) {
    const auto* const conjunct = static_cast<Conjunct*>(lfirst(cell));
    const int other = LinkedWith(conjunct->expr, entry);
    if (other == 0 || !bms_is_member(other, level->reached)) continue;
    if (!MayRestrict(conjunct->place, entry)) continue;
    if (HandToSubquery(level, entry, conjunct->expr, other)) continue;
    if (!MayBeTold(level, entry, other)) continue;
    level->conditions[entry] = lappend(level->conditions[entry], conjunct->expr);
  }
  level->reached = bms_add_member(level->reached, entry);
}

enum class Grouping { kWithout, kWith };

// An entry that is not reached and linked with one that is, 0 if there is none.
int NextLinked(const Level& level, Grouping grouping) {
  ListCell* cell;
  foreach (cell, level.conjuncts) {
    Node* const expr = static_cast<Conjunct*>(lfirst(cell))->expr;
    int entry = -1;
    Bitmapset* const entries = pull_varnos(nullptr, expr);
    while ((entry = bms_next_member(entries, entry)) >= 0) {
      if (bms_is_member(entry, level.reached)) continue;
      if (IsGrouped(EntryAt(level, entry)) != (grouping == Grouping::kWith)) continue;
      const int other = LinkedWith(expr, entry);
      if (other != 0 && bms_is_member(other, level.reached)) return entry;
    }
  }
  return 0;
}

// What groups its rows comes last, and so is told of all that leads to it.
void FollowLinks(Level* level) {
  for (;;) {
    int entry = NextLinked(*level, Grouping::kWithout);
    if (entry == 0) entry = NextLinked(*level, Grouping::kWith);
    if (entry == 0) return;
    Reach(level, entry);
  }
}

// The columns of a subquery in an expression, named as those of the entry in `context`, an int.
Node* NameColumns(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (!IsA(node, Param))
    return expression_tree_mutator(node, MutatorForServer(NameColumns), context);
  const auto* const column = reinterpret_cast<Param*>(node);
  if (column->paramkind != PARAM_SUBLINK) return node;
  return reinterpret_cast<Node*>(
      makeVar(*static_cast<int*>(context), static_cast<AttrNumber>(column->paramid),
              column->paramtype, column->paramtypmod, column->paramcollid, 0));
}

// "x IN (SELECT ...)" as a condition is true for the same rows if the subquery returns only x.
void HandToSublinks(Level* level) {
  int entry = list_length(level->query->rtable) + 1;  // stands for the subquery
  ListCell* cell;
  foreach (cell, level->conjuncts) {
    Node* const expr = static_cast<Conjunct*>(lfirst(cell))->expr;
    if (!IsA(expr, SubLink)) continue;
    auto* const sublink = reinterpret_cast<SubLink*>(expr);
    if (sublink->subLinkType != ANY_SUBLINK) continue;
    Node* const comparison = NameColumns(sublink->testexpr, &entry);
    const int other = LinkedWith(comparison, entry);
    if (other == 0 || !bms_is_member(other, level->reached)) continue;
    auto* const subquery = reinterpret_cast<Query*>(sublink->subselect);
    if (HandDown(comparison, entry, subquery, level->narrowing))
      level->narrowing->is_narrower = true;
  }
}

enum class Place { kStatement, kInside };
void NarrowLevel(Query* query, Place place, List* conditions, Narrowing* narrowing);

void NarrowSubquery(Query* subquery, int entry, List* conditions, Narrowing* narrowing) {
  ListCell* cell;
  if (subquery->setOperations != nullptr) {
    ListCell* branch;
    foreach (branch, BranchesOf(subquery)) {
      const int place = lfirst_int(branch);
      List* passed = NIL;
      foreach (cell, conditions) {
        Node* const expr = PassOnToBranch(static_cast<Node*>(lfirst(cell)), entry, subquery, place);
        if (expr != nullptr) passed = lappend(passed, expr);
      }
      NarrowSubquery(rt_fetch(place, subquery->rtable)->subquery, place, passed, narrowing);
    }
    return;
  }
  List* passed = NIL;
  foreach (cell, conditions) {
    Node* const expr = PassOn(static_cast<Node*>(lfirst(cell)), entry, subquery);
    if (expr != nullptr) passed = lappend(passed, expr);
  }
  if (passed == NIL && KeepPartitions(conditions, entry, subquery, narrowing)) {
    narrowing->is_narrower = true;
  }
  NarrowLevel(subquery, Place::kInside, passed, narrowing);
}

// Subqueries in expressions.
bool NarrowSublinks(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(NarrowSublinks), context);
  NarrowLevel(reinterpret_cast<Query*>(node), Place::kInside, NIL,
              static_cast<Narrowing*>(context));
  return false;
}

void NarrowLevel(Query* query, Place place, List* conditions, Narrowing* narrowing) {
  FlattenJoins(query);
  const int size = list_length(query->rtable) + 1;
  Level level{query,
              place == Place::kStatement,
              ConjunctsOf(query),
              list_length(conditions),
              nullptr,
              nullptr,
              narrowing};
  level.conditions = static_cast<List**>(palloc0(static_cast<Size>(size) * sizeof(List*)));
  ListCell* cell;
  foreach (cell, conditions) {
    auto* const conjunct = static_cast<Conjunct*>(palloc(sizeof(Conjunct)));
    conjunct->place = reinterpret_cast<Node*>(query->jointree);
    conjunct->expr = static_cast<Node*>(lfirst(cell));
    level.conjuncts = lappend(level.conjuncts, conjunct);
  }
  FindWhereKeysAre(&level);
  FollowLinks(&level);
  HandToSublinks(&level);
  for (int entry = 1; entry < size; ++entry) {
    const RangeTblEntry* const subquery = EntryAt(level, entry);
    if (subquery->rtekind != RTE_SUBQUERY) continue;
    NarrowSubquery(subquery->subquery, entry,
                   subquery->security_barrier ? NIL : level.conditions[entry], narrowing);
  }
  query_tree_walker(query, ForServer(NarrowSublinks), narrowing,
                    QTW_IGNORE_RC_SUBQUERIES | QTW_IGNORE_JOINALIASES);
}

// A view's query begins with entries that are not in its FROM: they hold the view's lock and the
// right to read it. Where the view is a set operation the server takes every entry for a branch as
// soon as the view, or something around it, is LATERAL; it never is in a query that was written.
// They serve the same in the query around the view, where the server itself puts them later.
void MoveRuleEntries(Query* view, Query* around) {
  int count = 0;
  ListCell* cell;
  foreach (cell, view->rtable) {
    if (static_cast<RangeTblEntry*>(lfirst(cell))->rtekind == RTE_SUBQUERY) break;
    around->rtable = lappend(around->rtable, lfirst(cell));
    ++count;
  }
  if (count == 0) return;
  view->rtable = list_copy_tail(view->rtable, count);
  OffsetVarNodes(reinterpret_cast<Node*>(view), -count, 0);
}

bool MoveAllRuleEntries(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query))
    return expression_tree_walker(node, ForServer(MoveAllRuleEntries), context);
  auto* const query = reinterpret_cast<Query*>(node);
  query_tree_walker(query, ForServer(MoveAllRuleEntries), context, 0);
  const int size = list_length(query->rtable);
  for (int entry = 1; entry <= size; ++entry) {
    const RangeTblEntry* const view = rt_fetch(entry, query->rtable);
    if (view->rtekind != RTE_SUBQUERY || view->subquery->setOperations == nullptr) continue;
    MoveRuleEntries(view->subquery, query);
  }
  return false;
}

}  // namespace

bool NarrowQuery(Query* query, ParamListInfo parameters) {
  MoveAllRuleEntries(reinterpret_cast<Node*>(query), nullptr);
  Narrowing narrowing{parameters, kMostCopies, NIL, false};
  NarrowLevel(query, Place::kStatement, NIL, &narrowing);
  return narrowing.is_narrower;
}

}  // namespace tviews::pg
