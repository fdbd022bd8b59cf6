#include "shared/pg/planner/group_level.h"

#include "shared/pg/planner/group_aggregates.h"
#include "shared/pg/planner/group_expressions.h"
#include "shared/pg/planner/group_keys.h"
#include "shared/pg/planner/group_outer_join.h"
#include "shared/pg/planner/group_parts.h"
#include "shared/pg/planner/group_slots.h"
#include "shared/pg/planner/join_places.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_class.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/optimizer.h>
#include <optimizer/tlist.h>
#include <parser/parsetree.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::ForServer;

// Of one level, the entries of its tables.
Bitmapset* EntriesOf(const GroupLevel* level) {
  Bitmapset* entries = nullptr;
  ListCell* cell;
  foreach (cell, level->sources) {
    entries = bms_add_member(entries, static_cast<GroupSource*>(lfirst(cell))->entry);
  }
  return entries;
}

// One level while it is looked at.
struct Search {
  GroupLevel* level;
  Bitmapset* entries;
  bool has_keys;  // columns may be read outside of aggregates
  bool is_possible;
};

bool Refuse(Search* search) {
  search->is_possible = false;
  return true;
}

bool IsKey(const Node* expr, const GroupLevel* level) {
  ListCell* cell;
  foreach (cell, level->keys) {
    if (equal(static_cast<GroupKey*>(lfirst(cell))->expr, expr)) return true;
  }
  return false;
}

// `expr` is read outside of aggregates: by it the rows are added up.
bool NoteKey(Node* expr, Search* search) {
  GroupLevel* const level = search->level;
  if (IsKey(expr, level)) return false;
  if (!search->has_keys || !IsOwn(expr, search->entries) || !IsExact(expr)) return Refuse(search);
  auto* const key = static_cast<GroupKey*>(palloc0(sizeof(GroupKey)));
  key->expr = static_cast<Node*>(copyObjectImpl(expr));
  level->keys = lappend(level->keys, key);
  return false;
}

// True of an aggregate for which a row that an outer join has made is none, but for count(*), which
// counts it. Of distinct values there would be those of several rows outside.
bool LeavesNullsOut(const Aggref* aggregate) {
  if (CountsDistinct(aggregate)) return false;
  if (aggregate->aggfilter != nullptr &&
      IsNothingOfNulls(reinterpret_cast<Node*>(aggregate->aggfilter), true)) {
    return true;
  }
  if (aggregate->args == NIL) return aggregate->aggfilter == nullptr;
  return IsNothingOfNulls(ArgumentNode(aggregate), false);
}

bool NoteAggregate(Aggref* aggregate, Search* search) {
  GroupLevel* const level = search->level;
  if (!IsTakenApart(aggregate)) return Refuse(search);
  if (!IsOwn(reinterpret_cast<Node*>(aggregate->args), search->entries) ||
      !IsOwn(reinterpret_cast<Node*>(aggregate->aggfilter), search->entries)) {
    return Refuse(search);
  }
  if (level->join != nullptr && !LeavesNullsOut(aggregate)) return Refuse(search);
  if (!list_member(level->aggregates, aggregate)) {
    level->aggregates = lappend(level->aggregates, aggregate);
  }
  return false;
}

// What the level makes of its rows.
bool Inspect(Node* node, void* context) {
  auto* const search = static_cast<Search*>(context);
  if (node == nullptr) return false;
  if (IsA(node, Aggref)) return NoteAggregate(reinterpret_cast<Aggref*>(node), search);
  if (IsKey(node, search->level)) return false;
  if (IsA(node, SubLink) || IsA(node, Query) || IsA(node, GroupingFunc) || IsA(node, WindowFunc)) {
    return Refuse(search);
  }
  if (IsA(node, Var)) {
    const auto* const var = reinterpret_cast<Var*>(node);
    if (var->varlevelsup != 0) return false;
    if (bms_is_member(static_cast<int>(var->varno), search->entries)) return NoteKey(node, search);
    // What an outer join preserves stays as it is.
    return search->level->join != nullptr ? false : Refuse(search);
  }
  return expression_tree_walker(node, ForServer(Inspect), context);
}

bool IsTable(const RangeTblEntry* entry) {
  return entry->rtekind == RTE_RELATION && entry->relkind == RELKIND_RELATION &&
         entry->tablesample == nullptr && entry->securityQuals == NIL;
}

// Adds the tables that inner joins put together below `node`; false if there is something else.
bool AddSources(Node* node, GroupLevel* level) {
  if (node == nullptr) return false;
  if (IsA(node, FromExpr)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<FromExpr*>(node)->fromlist) {
      if (!AddSources(static_cast<Node*>(lfirst(cell)), level)) return false;
    }
    return true;
  }
  if (IsA(node, JoinExpr)) {
    const auto* const join = reinterpret_cast<JoinExpr*>(node);
    return join->jointype == JOIN_INNER && AddSources(join->larg, level) &&
           AddSources(join->rarg, level);
  }
  if (!IsA(node, RangeTblRef)) return false;
  const int entry = reinterpret_cast<const RangeTblRef*>(node)->rtindex;
  const RangeTblEntry* const table = rt_fetch(entry, level->query->rtable);
  if (!IsTable(table)) return false;
  auto* const source = static_cast<GroupSource*>(palloc0(sizeof(GroupSource)));
  source->entry = entry;
  source->relation = table->relid;
  level->sources = lappend(level->sources, source);
  return true;
}

bool IsAggregation(const Query* query) {
  return query->commandType == CMD_SELECT && query->hasAggs && !query->hasWindowFuncs &&
         !query->hasTargetSRFs && !query->hasSubLinks && query->groupingSets == NIL &&
         query->setOperations == nullptr && query->cteList == NIL && query->rowMarks == NIL;
}

// Columns of joins are those of the tables.
void FlattenColumns(Query* query) {
  FlattenJoins(query);
  query->targetList = reinterpret_cast<List*>(
      compat::FlattenJoinAliases(query, reinterpret_cast<Node*>(query->targetList)));
  query->havingQual = compat::FlattenJoinAliases(query, query->havingQual);
}

// The conditions that AND joins, in WHERE and ON: in inner joins they are the same; of an outer
// join only its own. A filter decides by the tables' columns alone which rows the state has.
void SortConditions(GroupLevel* level, Bitmapset* entries) {
  ListCell* cell;
  foreach (cell, ConjunctsOf(level->query)) {
    const auto* const conjunct = static_cast<const Conjunct*>(lfirst(cell));
    if (level->join != nullptr && conjunct->place != reinterpret_cast<Node*>(level->join)) continue;
    auto* const expr = static_cast<Node*>(copyObjectImpl(conjunct->expr));
    bool has_columns = false;
    ListCell* source;
    foreach (source, level->sources) {
      has_columns = has_columns ||
                    ColumnsIn(expr, static_cast<GroupSource*>(lfirst(source))->entry) != nullptr;
    }
    List** const list = has_columns && IsOwn(expr, entries) ? &level->filters : &level->conditions;
    *list = lappend(*list, expr);
  }
}

void NoteColumns(GroupLevel* level) {
  ListCell* cell;
  foreach (cell, level->sources) {
    auto* const source = static_cast<GroupSource*>(lfirst(cell));
    source->columns =
        bms_union(ColumnsIn(reinterpret_cast<Node*>(level->aggregates), source->entry),
                  ColumnsIn(reinterpret_cast<Node*>(level->filters), source->entry));
    ListCell* key;
    foreach (key, level->keys) {
      Node* const expr = static_cast<GroupKey*>(lfirst(key))->expr;
      source->columns = bms_add_members(source->columns, ColumnsIn(expr, source->entry));
    }
  }
}

// What GROUP BY makes of columns is a key as a whole. By nothing of the tables there is no group.
bool NoteGroups(Search* search) {
  const Query* const query = search->level->query;
  ListCell* cell;
  foreach (cell, query->groupClause) {
    Node* const grouped =
        get_sortgroupclause_expr(lfirst_node(SortGroupClause, cell), query->targetList);
    if (!IsOwn(grouped, search->entries) || !contain_var_clause(grouped)) return Refuse(search);
    if (NoteKey(grouped, search)) return true;
  }
  return false;
}

bool HasCounts(const GroupLevel* level) {
  ListCell* cell;
  foreach (cell, level->aggregates) {
    if (CountsDistinct(static_cast<Aggref*>(lfirst(cell)))) return true;
  }
  return false;
}

// Looks at what is made of the rows, and completes the level.
GroupLevel* Completed(GroupLevel* level) {
  Query* const query = level->query;
  const bool is_inner = level->join == nullptr;
  Search search{level, EntriesOf(level), is_inner, true};
  SortConditions(level, search.entries);
  if (is_inner) NoteGroups(&search);
  const int grouped = list_length(level->keys);
  if (search.is_possible) Inspect(reinterpret_cast<Node*>(query->targetList), &search);
  if (search.is_possible) Inspect(query->havingQual, &search);
  if (search.is_possible) Inspect(query->limitOffset, &search);
  if (search.is_possible) Inspect(query->limitCount, &search);
  const int of_group = list_length(level->keys);
  for (int i = grouped; i < of_group; ++i) {
    static_cast<GroupKey*>(list_nth(level->keys, i))->depends = true;
  }
  search.has_keys = true;
  if (search.is_possible) Inspect(reinterpret_cast<Node*>(level->conditions), &search);
  if (!search.is_possible || (HasCounts(level) && !AreFixed(level, of_group))) return nullptr;
  for (int i = 0; i < list_length(level->keys); ++i) {
    auto* const key = static_cast<GroupKey*>(list_nth(level->keys, i));
    key->columns = ColumnsOfKey(level, key->expr);
  }
  level->key_type = AssignSlots(level->keys, HasCounts(level));
  if (level->key_type == InvalidOid) return nullptr;
  NoteColumns(level);
  DescribeGroupLevel(level);
  return level;
}

GroupLevel* NewLevel(Query* query) {
  auto* const level = static_cast<GroupLevel*>(palloc0(sizeof(GroupLevel)));
  level->query = query;
  return level;
}

// The aggregates are of the nullable table of one outer join, whose rows are then those of the
// state.
GroupLevel* AsOuterLevel(Query* query) {
  FlattenColumns(query);
  GroupLevel* const level = NewLevel(query);
  level->join = OuterJoinOf(query);
  return level->join != nullptr && AddSources(level->join->rarg, level) ? Completed(level)
                                                                        : nullptr;
}

GroupLevel* AsGroupLevel(Query* query) {
  if (!IsAggregation(query)) return nullptr;
  GroupLevel* const level = NewLevel(query);
  if (!AddSources(reinterpret_cast<Node*>(query->jointree), level)) return AsOuterLevel(query);
  if (level->sources == NIL || list_length(level->sources) > kMostSources) return nullptr;
  FlattenColumns(query);
  return Completed(level);
}

bool Collect(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return expression_tree_walker(node, ForServer(Collect), context);
  auto* const query = reinterpret_cast<Query*>(node);
  compat::FlattenGroupedColumns(query);
  GroupLevel* const level = AsGroupLevel(query);
  if (level != nullptr) {
    auto** const levels = static_cast<List**>(context);
    *levels = lappend(*levels, level);
    if (level->join == nullptr) return false;
  }
  return query_tree_walker(query, ForServer(Collect), context, 0);
}

}  // namespace

List* FindGroupLevels(Query* query) {
  List* levels = NIL;
  Collect(reinterpret_cast<Node*>(query), &levels);
  return levels;
}

}  // namespace tviews::pg
