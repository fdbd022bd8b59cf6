#include "shared/pg/planner/group_level.h"

#include "shared/pg/planner/group_aggregates.h"
#include "shared/pg/server/image_equality.h"
#include "shared/pg/tables/columns.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_authid.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/analyze.h>
#include <parser/parser.h>
#include <parser/parsetree.h>
#include <rewrite/rewriteManip.h>
#include <storage/lmgr.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/ruleutils.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::ForServer;
using compat::MutatorForServer;

const UsableState* usable_states = nullptr;
int usable_count = 0;

template <typename T>
T* Copy(const T* node) {
  return static_cast<T*>(copyObjectImpl(node));
}

bool IsUsersFunction(Oid function, void* /*context*/) { return function >= FirstGenbkiObjectId; }

bool IsUsersType(Oid type) {
  return type >= FirstGenbkiObjectId && get_typtype(type) != TYPTYPE_ENUM;
}

// True if `node` is, or has in it, what no state is made of (1). `context`: the entry, an int.
bool IsForeign(Node* node, void* context) {
  if (node == nullptr) return false;
  switch (nodeTag(node)) {
    case T_Var: {
      const auto* const var = reinterpret_cast<Var*>(node);
      return var->varlevelsup != 0 || static_cast<int>(var->varno) != *static_cast<int*>(context) ||
             var->varattno <= 0;
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

bool IsOwn(Node* node, int entry) {
  return !IsForeign(node, &entry) && !contain_mutable_functions(node) &&
         !expression_returns_set(node);
}

// Numbers of the columns of the level's own table in an expression, less
// FirstLowInvalidHeapAttributeNumber.
Bitmapset* ColumnsIn(Node* node, int entry) {
  Bitmapset* columns = nullptr;
  pull_varattnos(node, static_cast<Index>(entry), &columns);
  return columns;
}

constexpr int kOffset = -FirstLowInvalidHeapAttributeNumber;

// One level while it is looked at.
struct Search {
  GroupLevel* level;
  bool is_possible;
};

bool Refuse(Search* search) {
  search->is_possible = false;
  return true;
}

// `var` is read outside of aggregates: by it the rows are added up.
bool NoteKey(const Var* var, Search* search) {
  GroupLevel* const level = search->level;
  if (var->varattno <= 0) return Refuse(search);
  if (level->column == var->varattno) return false;
  if (level->column != 0) return Refuse(search);
  level->column = var->varattno;
  level->key_type = var->vartype;
  const bool is_known = GroupTableFor(var->vartype) != nullptr;
  return is_known && IsImageEqual(var->vartype, var->varcollid) ? false : Refuse(search);
}

bool NoteAggregate(Aggref* aggregate, Search* search) {
  GroupLevel* const level = search->level;
  if (!IsTakenApart(aggregate)) return Refuse(search);
  if (!IsOwn(reinterpret_cast<Node*>(aggregate->args), level->entry) ||
      !IsOwn(reinterpret_cast<Node*>(aggregate->aggfilter), level->entry)) {
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
    if (static_cast<int>(var->varno) != search->level->entry) return Refuse(search);
    return NoteKey(var, search);
  }
  return expression_tree_walker(node, ForServer(Inspect), context);
}

// The entry of the one table that the level reads, or 0.
int TableOf(const Query* query) {
  const FromExpr* const from = query->jointree;
  if (from == nullptr || list_length(from->fromlist) != 1) return 0;
  const auto* const only = static_cast<Node*>(linitial(from->fromlist));
  if (!IsA(only, RangeTblRef)) return 0;
  const int entry = reinterpret_cast<const RangeTblRef*>(only)->rtindex;
  const RangeTblEntry* const table = rt_fetch(entry, query->rtable);
  const bool is_table = table->rtekind == RTE_RELATION && table->relkind == RELKIND_RELATION;
  return is_table && table->tablesample == nullptr && table->securityQuals == NIL ? entry : 0;
}

bool IsAggregation(const Query* query) {
  return query->commandType == CMD_SELECT && query->hasAggs && !query->hasWindowFuncs &&
         !query->hasTargetSRFs && !query->hasSubLinks && query->groupingSets == NIL &&
         query->setOperations == nullptr && query->cteList == NIL && query->rowMarks == NIL;
}

// The conditions of WHERE, which AND joins.
List* Conjuncts(Query* query) {
  Node* const quals = query->jointree->quals;
  return quals == nullptr ? NIL : make_ands_implicit(reinterpret_cast<Expr*>(Copy(quals)));
}

bool HasOwnColumns(Node* node, int entry) { return ColumnsIn(node, entry) != nullptr; }

// True of a condition that decides by the table's columns alone which rows the state has.
bool IsFilter(Node* conjunct, int entry) {
  return HasOwnColumns(conjunct, entry) && IsOwn(conjunct, entry);
}

// Sees the table as the only entry, under its own number.
Node* OnlyEntry(Node* node, void* /*context*/) {
  if (node == nullptr) return nullptr;
  if (!IsA(node, Var)) return expression_tree_mutator(node, MutatorForServer(OnlyEntry), nullptr);
  auto* const var = Copy(reinterpret_cast<Var*>(node));
  var->varno = 1;
  var->varnosyn = 1;
  var->varattnosyn = var->varattno;
#if PG_VERSION_NUM >= 160000
  var->varnullingrels = nullptr;
#endif
  return reinterpret_cast<Node*>(var);
}

char* Joined(const List* texts, const char* type) {
  StringInfoData text;
  initStringInfo(&text);
  appendStringInfoString(&text, "ARRAY[");
  for (int i = 0; i < list_length(texts); ++i) {
    appendStringInfo(&text, "%s%s", i == 0 ? "" : ", ", static_cast<char*>(list_nth(texts, i)));
  }
  appendStringInfo(&text, "]::%s[]", type);
  return text.data;
}

char* ConditionOf(const GroupLevel* level, List* context) {
  StringInfoData text;
  initStringInfo(&text);
  ListCell* cell;
  foreach (cell, Conjuncts(level->query)) {
    auto* const conjunct = static_cast<Node*>(lfirst(cell));
    if (!IsFilter(conjunct, level->entry)) continue;
    appendStringInfo(&text, "%s(%s)", text.len == 0 ? " WHERE " : " AND ",
                     deparse_expression(OnlyEntry(conjunct, nullptr), context, true, false));
  }
  return text.data;
}

void Describe(GroupLevel* level) {
  List* const context = deparse_context_for("c", level->source);
  GroupParts parts{NIL, NIL};
  ListCell* cell;
  foreach (cell, level->aggregates) {
    const auto* const aggregate =
        reinterpret_cast<Aggref*>(OnlyEntry(static_cast<Node*>(lfirst(cell)), nullptr));
    level->finals = lappend(level->finals, TakeApart(aggregate, context, &parts));
  }
  level->sums = list_length(parts.sums);
  const char* const column =
      level->column == 0 ? nullptr : get_attname(level->source, level->column, false);
  const char* const key = column == nullptr ? "0" : psprintf("c.%s", quote_identifier(column));
  level->spec = psprintf(
      "SELECT %s AS k, %s AS c, sum(c.%s)::bigint AS n, %s AS p FROM %s AS c%s"
      " GROUP BY 1, 2",
      key, Joined(parts.classes, "integer"), kWeightName, Joined(parts.sums, "numeric"),
      kWeightedRows, ConditionOf(level, context));
  const char* const table = get_rel_name(level->source);
  level->name = column == nullptr ? pstrdup(table) : psprintf("%s by %s", table, column);
}

void NoteColumns(GroupLevel* level) {
  Bitmapset* all = ColumnsIn(reinterpret_cast<Node*>(level->aggregates), level->entry);
  ListCell* cell;
  foreach (cell, Conjuncts(level->query)) {
    auto* const conjunct = static_cast<Node*>(lfirst(cell));
    if (IsFilter(conjunct, level->entry)) {
      all = bms_add_members(all, ColumnsIn(conjunct, level->entry));
    }
  }
  for (int i = -1; (i = bms_next_member(all, i)) >= 0;) {
    level->columns = bms_add_member(level->columns, i - kOffset);
  }
  if (level->column != 0) level->columns = bms_add_member(level->columns, level->column);
}

GroupLevel* AsGroupLevel(Query* query) {
  if (!IsAggregation(query)) return nullptr;
  const int entry = TableOf(query);
  if (entry == 0) return nullptr;
  auto* const level = static_cast<GroupLevel*>(palloc0(sizeof(GroupLevel)));
  level->query = query;
  level->entry = entry;
  level->source = rt_fetch(entry, query->rtable)->relid;
  level->key_type = INT4OID;
  Search search{level, true};
  Inspect(reinterpret_cast<Node*>(query->targetList), &search);
  if (search.is_possible) Inspect(query->havingQual, &search);
  if (search.is_possible) Inspect(query->limitOffset, &search);
  if (search.is_possible) Inspect(query->limitCount, &search);
  ListCell* cell;
  foreach (cell, Conjuncts(query)) {
    if (!search.is_possible) return nullptr;
    auto* const conjunct = static_cast<Node*>(lfirst(cell));
    if (!IsFilter(conjunct, entry)) Inspect(conjunct, &search);
  }
  if (!search.is_possible || list_length(query->groupClause) > 1) return nullptr;
  // What is grouped by is the column, and nothing that is made of it: that would be another key.
  foreach (cell, query->groupClause) {
    Node* const grouped =
        get_sortgroupclause_expr(lfirst_node(SortGroupClause, cell), query->targetList);
    if (!IsA(grouped, Var) || reinterpret_cast<Var*>(grouped)->varlevelsup != 0) return nullptr;
  }
  NoteColumns(level);
  Describe(level);
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
    return copy;
  }
  elog(ERROR, "an aggregate is not in its group state");
}

Node* Replace(Node* node, void* context) {
  const auto* const change = static_cast<Change*>(context);
  if (node == nullptr) return nullptr;
  if (IsA(node, Aggref)) return Final(node, change);
  if (IsA(node, Var)) {
    const auto* const var = reinterpret_cast<Var*>(node);
    if (var->varlevelsup != 0) return node;
    return reinterpret_cast<Node*>(
        makeVar(change->entry, GroupRowColumn::kK, var->vartype, -1, var->varcollid, 0));
  }
  return expression_tree_mutator(node, MutatorForServer(Replace), context);
}

// The entry of the table stays in the range table: it holds its lock and the right to read it.
void ReadFromState(const GroupLevel* level, int state) {
  Query* const query = level->query;
  Query* const final = FinalQuery(level, state);
  RangeTblEntry* const table = linitial_node(RangeTblEntry, final->rtable);
#if PG_VERSION_NUM >= 160000
  table->perminfoindex = 0;
#else
  table->requiredPerms = 0;
#endif
  LockRelationOid(table->relid, AccessShareLock);
  List* const conjuncts = Conjuncts(query);
  query->rtable = lappend(query->rtable, table);
  Change change{level, final, list_length(query->rtable)};
  List* kept = NIL;
  ListCell* cell;
  foreach (cell, conjuncts) {
    auto* const conjunct = static_cast<Node*>(lfirst(cell));
    if (!IsFilter(conjunct, level->entry)) kept = lappend(kept, Replace(conjunct, &change));
  }
  Node* const own = final->jointree->quals;
  ChangeVarNodes(own, 1, change.entry, 0);
  kept = lappend(kept, own);
  query->targetList =
      reinterpret_cast<List*>(Replace(reinterpret_cast<Node*>(query->targetList), &change));
  query->havingQual = Replace(query->havingQual, &change);
  auto* const reference = makeNode(RangeTblRef);
  reference->rtindex = change.entry;
  query->jointree =
      makeFromExpr(list_make1(reference), reinterpret_cast<Node*>(make_ands_explicit(kept)));
}

}  // namespace

const char* GroupTableFor(TypeId key_type) {
  switch (key_type) {
    case INT4OID:
      return "pg_tview_groups_int4";
    case INT8OID:
      return "pg_tview_groups_int8";
    case TEXTOID:
      return "pg_tview_groups_text";
    case UUIDOID:
      return "pg_tview_groups_uuid";
    default:
      return nullptr;
  }
}

List* FindGroupLevels(Query* query) {
  List* levels = NIL;
  Collect(reinterpret_cast<Node*>(query), &levels);
  return levels;
}

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
      if (usable_states[i].source != level->source) continue;
      if (strcmp(usable_states[i].spec, level->spec) != 0) continue;
      ReadFromState(level, usable_states[i].id);
      break;
    }
  }
}

}  // namespace tviews::pg
