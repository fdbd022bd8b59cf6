#include "shared/pg/planner/join_places.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

Node* Flattened(Query* query, void* node) {
  return compat::FlattenJoinAliases(query, static_cast<Node*>(node));
}

void AddConjuncts(Node* place, Node* expr, List** conjuncts) {
  if (expr == nullptr) return;
  if (is_andclause(expr)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<BoolExpr*>(expr)->args) {
      AddConjuncts(place, static_cast<Node*>(lfirst(cell)), conjuncts);
    }
    return;
  }
  auto* const conjunct = static_cast<Conjunct*>(palloc(sizeof(Conjunct)));
  conjunct->place = place;
  conjunct->expr = expr;
  *conjuncts = lappend(*conjuncts, conjunct);
}

void Collect(Node* tree, List** conjuncts) {
  if (IsA(tree, FromExpr)) {
    auto* const from = reinterpret_cast<FromExpr*>(tree);
    AddConjuncts(tree, from->quals, conjuncts);
    ListCell* cell;
    foreach (cell, from->fromlist) Collect(static_cast<Node*>(lfirst(cell)), conjuncts);
  } else if (IsA(tree, JoinExpr)) {
    auto* const join = reinterpret_cast<JoinExpr*>(tree);
    if (join->jointype != JOIN_FULL) AddConjuncts(tree, join->quals, conjuncts);
    Collect(join->larg, conjuncts);
    Collect(join->rarg, conjuncts);
  }
}

// The nodes from `tree` down to `entry`, NIL if it is not below.
List* PathTo(Node* tree, int entry) {
  List* below = NIL;
  if (IsA(tree, RangeTblRef)) {
    return reinterpret_cast<RangeTblRef*>(tree)->rtindex == entry ? list_make1(tree) : NIL;
  }
  if (IsA(tree, FromExpr)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<FromExpr*>(tree)->fromlist) {
      below = PathTo(static_cast<Node*>(lfirst(cell)), entry);
      if (below != NIL) break;
    }
  } else if (IsA(tree, JoinExpr)) {
    below = PathTo(reinterpret_cast<JoinExpr*>(tree)->larg, entry);
    if (below == NIL) below = PathTo(reinterpret_cast<JoinExpr*>(tree)->rarg, entry);
  }
  return below == NIL ? NIL : lcons(tree, below);
}

Bitmapset* ReferencesOf(const RangeTblEntry* entry) {
  switch (entry->rtekind) {
    case RTE_SUBQUERY:
      return pull_varnos_of_level(nullptr, reinterpret_cast<Node*>(entry->subquery), 1);
    case RTE_FUNCTION:
      return pull_varnos(nullptr, reinterpret_cast<Node*>(entry->functions));
    case RTE_TABLEFUNC:
      return pull_varnos(nullptr, reinterpret_cast<Node*>(entry->tablefunc));
    case RTE_VALUES:
      return pull_varnos(nullptr, reinterpret_cast<Node*>(entry->values_lists));
    default:
      return nullptr;
  }
}

// True if something LATERAL in `tree` refers to an entry of `target`.
bool RefersTo(Query* query, Node* tree, Node* target) {
  if (IsA(tree, RangeTblRef)) {
    const RangeTblEntry* const entry =
        rt_fetch(reinterpret_cast<RangeTblRef*>(tree)->rtindex, query->rtable);
    if (!entry->lateral) return false;
    Bitmapset* const references = ReferencesOf(entry);
    int member = -1;
    while ((member = bms_next_member(references, member)) >= 0) {
      if (PathTo(target, member) != NIL) return true;
    }
    return false;
  }
  if (IsA(tree, FromExpr)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<FromExpr*>(tree)->fromlist) {
      if (RefersTo(query, static_cast<Node*>(lfirst(cell)), target)) return true;
    }
    return false;
  }
  auto* const join = reinterpret_cast<JoinExpr*>(tree);
  return RefersTo(query, join->larg, target) || RefersTo(query, join->rarg, target);
}

void Exchange(JoinExpr* join) {
  Node* const left = join->larg;
  join->larg = join->rarg;
  join->rarg = left;
}

bool MoveBehind(Query* query, FromExpr* from, Node* item, Node* other) {
  int place = -1;
  for (int i = 0; i < list_length(from->fromlist); ++i) {
    auto* const at = static_cast<Node*>(list_nth(from->fromlist, i));
    if (at == item) {
      place = i;
    } else if (place >= 0 && RefersTo(query, at, item)) {
      return false;
    }
    if (at == other) {
      if (place < 0) return true;  // it stands behind already
      from->fromlist = list_delete_nth_cell(from->fromlist, place);
      from->fromlist = list_insert_nth(from->fromlist, i, item);
      return true;
    }
  }
  return false;
}

}  // namespace

void FlattenJoins(Query* query) {
  query->jointree = reinterpret_cast<FromExpr*>(Flattened(query, query->jointree));
  ListCell* cell;
  foreach (cell, query->rtable) {
    auto* const entry = static_cast<RangeTblEntry*>(lfirst(cell));
    if (!entry->lateral) continue;
    if (entry->rtekind == RTE_SUBQUERY) {
      entry->subquery = reinterpret_cast<Query*>(Flattened(query, entry->subquery));
    } else if (entry->rtekind == RTE_FUNCTION) {
      entry->functions = reinterpret_cast<List*>(Flattened(query, entry->functions));
    } else if (entry->rtekind == RTE_TABLEFUNC) {
      entry->tablefunc = reinterpret_cast<TableFunc*>(Flattened(query, entry->tablefunc));
    } else if (entry->rtekind == RTE_VALUES) {
      entry->values_lists = reinterpret_cast<List*>(Flattened(query, entry->values_lists));
    }
  }
}

List* ConjunctsOf(Query* query) {
  List* conjuncts = NIL;
  Collect(reinterpret_cast<Node*>(query->jointree), &conjuncts);
  return conjuncts;
}

// An ON condition restricts the nullable side. Further down only sides that are preserved may lose
// rows: what a nullable one loses comes back as a row of NULLs.
bool MayRestrict(Node* place, int entry) {
  List* const path = PathTo(place, entry);
  if (path == NIL) return false;
  for (int i = 0; i + 1 < list_length(path); ++i) {
    auto* const node = static_cast<Node*>(list_nth(path, i));
    if (!IsA(node, JoinExpr)) continue;
    const auto* const join = reinterpret_cast<JoinExpr*>(node);
    if (join->jointype == JOIN_INNER) continue;
    if (join->jointype != JOIN_LEFT && join->jointype != JOIN_RIGHT) return false;
    const Node* const preserved = join->jointype == JOIN_LEFT ? join->larg : join->rarg;
    const bool is_preserved = list_nth(path, i + 1) == preserved;
    if (is_preserved == (node == place)) return false;
  }
  return true;
}

bool LetRefer(Query* query, int entry, int other) {
  auto* const tree = reinterpret_cast<Node*>(query->jointree);
  List* const path = PathTo(tree, entry);
  List* const other_path = PathTo(tree, other);
  if (path == NIL || other_path == NIL || entry == other) return false;
  int fork = 0;
  while (list_nth(path, fork + 1) == list_nth(other_path, fork + 1)) ++fork;
  auto* const node = static_cast<Node*>(list_nth(path, fork));
  auto* const side = static_cast<Node*>(list_nth(path, fork + 1));
  if (IsA(node, FromExpr)) {
    return MoveBehind(query, reinterpret_cast<FromExpr*>(node), side,
                      static_cast<Node*>(list_nth(other_path, fork + 1)));
  }
  auto* const join = reinterpret_cast<JoinExpr*>(node);
  const bool is_right = side == join->rarg;
  switch (join->jointype) {
    case JOIN_LEFT:
      return is_right;
    case JOIN_INNER:
      if (is_right) return true;
      if (RefersTo(query, join->rarg, join->larg)) return false;
      Exchange(join);
      return true;
    case JOIN_RIGHT:
      if (is_right) return false;
      Exchange(join);
      join->jointype = JOIN_LEFT;
      if (join->rtindex != 0) rt_fetch(join->rtindex, query->rtable)->jointype = JOIN_LEFT;
      return true;
    default:
      return false;
  }
}

}  // namespace tviews::pg
