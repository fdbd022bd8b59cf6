#include "shared/pg/planner/group_level.h"

#include "shared/pg/planner/group_aggregates.h"
#include "shared/pg/planner/group_slots.h"
#include "shared/pg/planner/join_places.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <utils/lsyscache.h>
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

bool IsUsersFunction(Oid function, void* /*context*/) { return function >= FirstGenbkiObjectId; }

bool IsUsersType(Oid type) {
  return type >= FirstGenbkiObjectId && get_typtype(type) != TYPTYPE_ENUM;
}

// True if `node` is, or has in it, what no state is made of (1). `context`: the entries.
bool IsForeign(Node* node, void* context) {
  if (node == nullptr) return false;
  switch (nodeTag(node)) {
    case T_Var: {
      const auto* const var = reinterpret_cast<Var*>(node);
      return var->varlevelsup != 0 || var->varattno <= 0 ||
             !bms_is_member(static_cast<int>(var->varno), static_cast<Bitmapset*>(context));
    }
    case T_Param:
    case T_SubLink:
    case T_Query:
    case T_Aggref:
    case T_WindowFunc:
    case T_GroupingFunc:
    case T_CoerceToDomain:
    case T_CoerceToDomainValue:
    case T_ConvertRowtypeExpr:
    case T_FieldStore:
    case T_RowExpr:
    case T_MinMaxExpr:
      return true;
    case T_Const:
      // Reading the text of a value runs functions of its type.
      return IsUsersType(reinterpret_cast<Const*>(node)->consttype);
    default:
      break;
  }
  if (check_functions_in_node(node, IsUsersFunction, nullptr)) return true;
  return expression_tree_walker(node, ForServer(IsForeign), context);
}

bool IsOwn(Node* node, Bitmapset* entries) {
  return !IsForeign(node, entries) && !contain_mutable_functions(node) &&
         !expression_returns_set(node);
}

// Numbers of the columns of `entry` in an expression.
Bitmapset* ColumnsIn(Node* node, int entry) {
  Bitmapset* offset = nullptr;
  pull_varattnos(node, static_cast<Index>(entry), &offset);
  Bitmapset* columns = nullptr;
  for (int i = -1; (i = bms_next_member(offset, i)) >= 0;) {
    columns = bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
  }
  return columns;
}

// One level while it is looked at.
struct Search {
  GroupLevel* level;
  Bitmapset* entries;
  bool is_possible;
};

bool Refuse(Search* search) {
  search->is_possible = false;
  return true;
}

// `var` is read outside of aggregates: by it the rows are added up.
bool NoteKey(const Var* var, Search* search) {
  GroupLevel* const level = search->level;
  ListCell* cell;
  foreach (cell, level->keys) {
    if (equal(static_cast<GroupKey*>(lfirst(cell))->column, var)) return false;
  }
  if (var->varattno <= 0 || !IsExact(var)) return Refuse(search);
  auto* const key = static_cast<GroupKey*>(palloc0(sizeof(GroupKey)));
  key->column = static_cast<const Var*>(copyObjectImpl(var));
  level->keys = lappend(level->keys, key);
  return false;
}

bool NoteAggregate(Aggref* aggregate, Search* search) {
  GroupLevel* const level = search->level;
  if (!IsTakenApart(aggregate)) return Refuse(search);
  if (!IsOwn(reinterpret_cast<Node*>(aggregate->args), search->entries) ||
      !IsOwn(reinterpret_cast<Node*>(aggregate->aggfilter), search->entries)) {
    return Refuse(search);
  }
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
  if (IsA(node, SubLink) || IsA(node, Query) || IsA(node, GroupingFunc) || IsA(node, WindowFunc)) {
    return Refuse(search);
  }
  if (IsA(node, Var)) {
    const auto* const var = reinterpret_cast<Var*>(node);
    if (var->varlevelsup != 0) return false;
    if (!bms_is_member(static_cast<int>(var->varno), search->entries)) return Refuse(search);
    return NoteKey(var, search);
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

// The conditions that AND joins, in WHERE and ON: in inner joins they are the same. A filter
// decides by the tables' columns alone which rows the state has.
void SortConditions(GroupLevel* level, Bitmapset* entries) {
  ListCell* cell;
  foreach (cell, ConjunctsOf(level->query)) {
    auto* const expr =
        static_cast<Node*>(copyObjectImpl(static_cast<const Conjunct*>(lfirst(cell))->expr));
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
      const Var* const column = static_cast<GroupKey*>(lfirst(key))->column;
      if (static_cast<int>(column->varno) != source->entry) continue;
      source->columns = bms_add_member(source->columns, column->varattno);
    }
  }
}

// What is grouped by are columns, and nothing that is made of them: that would be another key.
bool GroupsByColumns(const Query* query) {
  ListCell* cell;
  foreach (cell, query->groupClause) {
    Node* const grouped =
        get_sortgroupclause_expr(lfirst_node(SortGroupClause, cell), query->targetList);
    if (!IsA(grouped, Var) || reinterpret_cast<Var*>(grouped)->varlevelsup != 0) return false;
  }
  return true;
}

bool HasCounts(const GroupLevel* level) {
  ListCell* cell;
  foreach (cell, level->aggregates) {
    if (CountsDistinct(static_cast<Aggref*>(lfirst(cell)))) return true;
  }
  return false;
}

GroupLevel* AsGroupLevel(Query* query) {
  if (!IsAggregation(query)) return nullptr;
  auto* const level = static_cast<GroupLevel*>(palloc0(sizeof(GroupLevel)));
  level->query = query;
  if (!AddSources(reinterpret_cast<Node*>(query->jointree), level) || level->sources == NIL ||
      list_length(level->sources) > kMostSources) {
    return nullptr;
  }
  FlattenColumns(query);
  Search search{level, EntriesOf(level), true};
  SortConditions(level, search.entries);
  Inspect(reinterpret_cast<Node*>(query->targetList), &search);
  if (search.is_possible) Inspect(query->havingQual, &search);
  if (search.is_possible) Inspect(query->limitOffset, &search);
  if (search.is_possible) Inspect(query->limitCount, &search);
  if (search.is_possible) Inspect(reinterpret_cast<Node*>(level->conditions), &search);
  if (!search.is_possible || !GroupsByColumns(query)) return nullptr;
  level->key_type = AssignSlots(level->keys, HasCounts(level));
  if (level->key_type == InvalidOid) return nullptr;
  NoteColumns(level);
  DescribeGroupLevel(level);
  return level;
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
    return false;
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
