#include "shared/pg/planner/group_reading.h"

#include "shared/pg/planner/group_level.h"
#include "shared/pg/planner/group_slots.h"
#include "shared/pg/tables/columns.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_authid.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <parser/analyze.h>
#include <parser/parser.h>
#include <rewrite/rewriteManip.h>
#include <storage/lmgr.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::MutatorForServer;

const UsableState* usable_states = nullptr;
int usable_count = 0;

template <typename T>
T* Copy(const T* node) {
  return static_cast<T*>(copyObjectImpl(node));
}

// The values of the level's aggregates, of the rows of the state: a query of the server's, though
// who plans may not name the table.
Query* FinalQuery(const GroupLevel* level, int state) {
  StringInfoData text;
  initStringInfo(&text);
  appendStringInfoString(&text, "SELECT ");
  for (int i = 0; i < list_length(level->finals); ++i) {
    appendStringInfo(&text, "%s%s", i == 0 ? "" : ", ",
                     static_cast<char*>(list_nth(level->finals, i)));
  }
  appendStringInfo(&text, " FROM tviews_internal.%s AS s WHERE s.state OPERATOR(pg_catalog.=) %d",
                   GroupTableFor(level->key_type), state);
  Oid user = InvalidOid;
  int security = 0;
  GetUserIdAndSecContext(&user, &security);
  SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security | SECURITY_LOCAL_USERID_CHANGE);
  List* const statements = raw_parser(text.data, RAW_PARSE_DEFAULT);
  Query* const query =
      parse_analyze_fixedparams(linitial_node(RawStmt, statements), text.data, nullptr, 0, nullptr);
  SetUserIdAndSecContext(user, security);
  return query;
}

// One level while it is changed.
struct Change {
  const GroupLevel* level;
  const Query* final;
  int entry;  // of the state
};

Node* Final(Node* node, const Change* change) {
  for (int i = 0; i < list_length(change->level->aggregates); ++i) {
    if (!equal(list_nth(change->level->aggregates, i), node)) continue;
    const auto* const value = static_cast<TargetEntry*>(list_nth(change->final->targetList, i));
    Node* const copy = reinterpret_cast<Node*>(Copy(value->expr));
    ChangeVarNodes(copy, 1, change->entry, 0);
    const JoinExpr* const join = change->level->join;
    return join == nullptr ? copy : compat::NulledBy(copy, change->entry, join->rtindex);
  }
  elog(ERROR, "an aggregate is not in its group state");
}

// `expr`, by which rows are added up, as the state has it; null: it is something else.
Node* FromSlot(const Node* expr, const Change* change) {
  ListCell* cell;
  foreach (cell, change->level->keys) {
    const auto* const key = static_cast<GroupKey*>(lfirst(cell));
    if (!equal(key->expr, expr)) continue;
    const TypeId type = exprType(expr);
    const TypeId stored = key->slot == GroupRowColumn::kK ? type : SlotType(key->slot);
    const Oid collation = exprCollation(expr);
    const int modifier = exprTypmod(expr);
    Var* const slot =
        makeVar(change->entry, key->slot, stored, stored == type ? modifier : -1, collation, 0);
    if (stored == type) return reinterpret_cast<Node*>(slot);
    return reinterpret_cast<Node*>(makeRelabelType(reinterpret_cast<Expr*>(slot), type, modifier,
                                                   collation, COERCE_IMPLICIT_CAST));
  }
  return nullptr;
}

bool IsOfSource(const Var* var, const GroupLevel* level) {
  ListCell* cell;
  foreach (cell, level->sources) {
    if (var->varlevelsup == 0 &&
        static_cast<GroupSource*>(lfirst(cell))->entry == static_cast<int>(var->varno)) {
      return true;
    }
  }
  return false;
}

Node* Replace(Node* node, void* context) {
  const auto* const change = static_cast<Change*>(context);
  if (node == nullptr) return nullptr;
  if (IsA(node, Aggref)) return Final(node, change);
  Node* const slot = FromSlot(node, change);
  if (slot != nullptr) return slot;
  if (IsA(node, Var) && IsOfSource(reinterpret_cast<Var*>(node), change->level)) {
    elog(ERROR, "a column is not in its group state");
  }
  return expression_tree_mutator(node, MutatorForServer(Replace), context);
}

// The entry of the table stays in the range table: it holds its lock and the right to read it.
void ReadFromState(const GroupLevel* level, int state) {
  Query* const query = level->query;
  Query* const final = FinalQuery(level, state);
  LockRelationOid(linitial_node(RangeTblEntry, final->rtable)->relid, AccessShareLock);
  Change change{level, final, compat::AppendRelationOf(final, 1, BOOTSTRAP_SUPERUSERID, query)};
  auto* kept =
      reinterpret_cast<List*>(Replace(reinterpret_cast<Node*>(level->conditions), &change));
  Node* const own = final->jointree->quals;
  ChangeVarNodes(own, 1, change.entry, 0);
  kept = lappend(kept, own);
  query->targetList =
      reinterpret_cast<List*>(Replace(reinterpret_cast<Node*>(query->targetList), &change));
  query->havingQual = Replace(query->havingQual, &change);
  auto* const reference = makeNode(RangeTblRef);
  reference->rtindex = change.entry;
  auto* const condition = reinterpret_cast<Node*>(make_ands_explicit(kept));
  if (level->join == nullptr) {
    query->jointree = makeFromExpr(list_make1(reference), condition);
  } else {
    level->join->rarg = reinterpret_cast<Node*>(reference);
    level->join->quals = condition;
  }
}

bool IsOf(const UsableState& state, const GroupLevel* level) {
  if (state.source_count != list_length(level->sources)) return false;
  for (int i = 0; i < state.source_count; ++i) {
    const auto* const source = static_cast<GroupSource*>(list_nth(level->sources, i));
    if (state.sources[i] != source->relation) return false;
  }
  return strcmp(state.body, level->body) == 0;
}

}  // namespace

GroupStateUse::GroupStateUse(const UsableState* states, int count)
    : outer_states_(usable_states), outer_count_(usable_count) {
  usable_states = states;
  usable_count = count;
}

GroupStateUse::~GroupStateUse() {
  usable_states = outer_states_;
  usable_count = outer_count_;
}

void ReadGroupStates(Query* query) {
  if (usable_count == 0) return;
  ListCell* cell;
  foreach (cell, FindGroupLevels(query)) {
    const auto* const level = static_cast<GroupLevel*>(lfirst(cell));
    for (int i = 0; i < usable_count; ++i) {
      if (!IsOf(usable_states[i], level)) continue;
      ReadFromState(level, usable_states[i].id);
      break;
    }
  }
}

}  // namespace tviews::pg
