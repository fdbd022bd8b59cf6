#include "backend/lineage/path_sql.h"

#include <cstring>

#include "backend/lineage/capture_filter.h"
#include "backend/lineage/filters.h"
#include "backend/lineage/route.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <parser/parse_clause.h>
#include <utils/guc.h>
#include <utils/memutils.h>
#include <utils/ruleutils.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

struct DeltaColumns {
  Bitmapset* attributes = nullptr;
  List* vars = NIL;  // one per attribute, ascending
};

bool CollectDeltaVars(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Var)) {
    auto* var = reinterpret_cast<Var*>(node);
    auto* columns = static_cast<DeltaColumns*>(context);
    if (var->varno != 1 || bms_is_member(var->varattno, columns->attributes)) return false;
    columns->attributes = bms_add_member(columns->attributes, var->varattno);
    columns->vars = lappend(columns->vars, var);
    return false;
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, CollectDeltaVars, context);
}

int CompareAttributes(const ListCell* left, const ListCell* right) {
  return static_cast<Var*>(left->ptr_value)->varattno -
         static_cast<Var*>(right->ptr_value)->varattno;
}

// Numbers the variables of the delta by their place in it, and makes deparsing see varno.
Node* RenumberDelta(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Var)) {
    Var* var = static_cast<Var*>(copyObjectImpl(node));
    if (var->varno == 1 && context != nullptr) {
      const auto* attributes = static_cast<const Bitmapset*>(context);
      int place = 1;
      for (int i = -1; (i = bms_next_member(attributes, i)) >= 0 && i < var->varattno;) ++place;
      var->varattno = static_cast<AttrNumber>(place);
    }
    var->varnosyn = static_cast<Index>(var->varno);
    var->varattnosyn = var->varattno;
    return reinterpret_cast<Node*>(var);
  }
  if (IsA(node, Query)) return node;
  return MutateChildren(node, RenumberDelta, context);
}

constexpr char kDeltaName[] = "pg_tviews_delta";

RangeTblEntry* DeltaEntry(const DeltaColumns& columns) {
  RangeTblEntry* rte = makeNode(RangeTblEntry);
  rte->rtekind = RTE_CTE;
  rte->ctename = pstrdup(kDeltaName);
  rte->inFromCl = true;
  List* names = NIL;
  ListCell* cell;
  foreach (cell, columns.vars) {
    auto* var = static_cast<Var*>(lfirst(cell));
    names = lappend(names, makeString(psprintf("c%d", var->varattno)));
    rte->coltypes = lappend_oid(rte->coltypes, var->vartype);
    rte->coltypmods = lappend_int(rte->coltypmods, var->vartypmod);
    rte->colcollations = lappend_oid(rte->colcollations, var->varcollid);
  }
  rte->eref = makeAlias(kDeltaName, names);
  return rte;
}

void AddToFrom(Query* query, RangeTblEntry* rte) {
  query->rtable = lappend(query->rtable, rte);
  RangeTblRef* reference = makeNode(RangeTblRef);
  reference->rtindex = list_length(query->rtable);
  query->jointree->fromlist = lappend(query->jointree->fromlist, reference);
}

enum class Purpose { kLookup, kRecursion, kDescription };

// A subquery's name alone, for a description: its text would be long, and is not looked at.
RangeTblEntry* NameOnly(const RangeTblEntry* subquery) {
  RangeTblEntry* rte = makeNode(RangeTblEntry);
  rte->rtekind = RTE_CTE;
  rte->ctename = subquery->eref->aliasname;
  rte->eref = subquery->eref;
  rte->inFromCl = true;
  return rte;
}

RangeTblEntry* FlatCopy(const RangeTblEntry* original) {
  RangeTblEntry* rte = makeNode(RangeTblEntry);
  *rte = *original;
  return rte;
}

char* OutputName(const Route& route, Purpose purpose, int number) {
  if (purpose == Purpose::kRecursion) return psprintf("k%d", number + 1);
  return route.outputs.size() == 1 ? pstrdup("key") : psprintf("key%d", number + 1);
}

// The route as a query. Without `delta` its first instance stands for itself.
Query* RouteQuery(const Route& route, const DeltaColumns* delta, Purpose purpose) {
  void* attributes = delta == nullptr ? nullptr : delta->attributes;
  Query* query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->canSetTag = true;
  query->jointree = makeFromExpr(NIL, nullptr);
  List* quals = NIL;
  for (int i = 0; i < route.instances.size(); ++i) {
    RangeTblEntry* rte = FlatCopy(route.instances[i].rte);
    if (purpose == Purpose::kDescription && rte->rtekind == RTE_SUBQUERY) rte = NameOnly(rte);
    if (i == 0 && delta != nullptr) rte = DeltaEntry(*delta);
    rte->functions =
        reinterpret_cast<List*>(RenumberDelta(reinterpret_cast<Node*>(rte->functions), attributes));
    rte->values_lists = reinterpret_cast<List*>(
        RenumberDelta(reinterpret_cast<Node*>(rte->values_lists), attributes));
    rte->tablefunc = reinterpret_cast<TableFunc*>(
        RenumberDelta(reinterpret_cast<Node*>(rte->tablefunc), attributes));
    if (route.instances[i].uses != 0) rte->lateral = true;
    AddToFrom(query, rte);
    quals = list_concat(quals, reinterpret_cast<List*>(RenumberDelta(
                                   reinterpret_cast<Node*>(route.conditions[i]), attributes)));
  }
  if (quals != NIL) query->jointree->quals = AsNode(make_ands_explicit(quals));
  for (int i = 0; i < route.outputs.size(); ++i) {
    Node* output = RenumberDelta(AsNode(route.outputs[i]), attributes);
    query->targetList =
        lappend(query->targetList,
                makeTargetEntry(reinterpret_cast<Expr*>(output), static_cast<AttrNumber>(i + 1),
                                OutputName(route, purpose, i), false));
  }
  if (purpose == Purpose::kLookup && !route.instances.empty()) {
    ListCell* cell;
    foreach (cell, query->targetList) {
      query->distinctClause =
          addTargetToSortList(nullptr, static_cast<TargetEntry*>(lfirst(cell)),
                              query->distinctClause, query->targetList, makeNode(SortBy));
    }
  }
  return query;
}

// What the server allocates to print a query is much more than the text, and given back at once.
char* TextOf(Query* query) {
  CHECK_FOR_INTERRUPTS();
  MemoryContext const scratch = AllocSetContextCreateInternal(
      CurrentMemoryContext, "pg_tviews text of a path", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const previous = MemoryContextSwitchTo(scratch);
  // Of a copy: the server puts lists of its own into the tree that it prints.
  const char* const text = pg_get_querydef(static_cast<Query*>(copyObjectImpl(query)), false);
  MemoryContextSwitchTo(previous);
  char* const copy = pstrdup(text);
  MemoryContextDelete(scratch);
  return copy;
}

void SetForText(const char* name, const char* value) {
  set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

// The text under an empty search_path, so that every name in it is qualified, and under settings
// that give constants a form which means the same whatever the settings are when it is read.
char* QualifiedText(Query* query) {
  const int nest = NewGUCNestLevel();
  SetForText("search_path", "");
  SetForText("DateStyle", "ISO");
  SetForText("IntervalStyle", "iso_8601");
  SetForText("extra_float_digits", "3");
  char* text = TextOf(query);
  AtEOXact_GUC(false, nest);
  return text;
}

// "tb_comment.fk_post = tb_post.pk_post": the conditions alone.
const char* DescribeConditions(const Route& route) {
  Query* query = RouteQuery(route, nullptr, Purpose::kDescription);
  const char* with = TextOf(query);
  query->jointree->quals = nullptr;
  const char* without = TextOf(query);
  const char* rest = strstr(with + strlen(without), "WHERE ");
  return rest == nullptr ? nullptr : rest + strlen("WHERE ");
}

void AppendDescription(const Route& route, const char* before, StringInfo text) {
  const char* conditions = DescribeConditions(route);
  if (conditions == nullptr) return;
  appendStringInfo(text, "%s%s%s", text->len > 0 ? ", " : "", before, conditions);
}

const char* Describe(const Route& route) {
  StringInfoData text;
  initStringInfo(&text);
  for (const Recurring& recursion : route.recursions) {
    AppendDescription(*recursion.first, "", &text);
    AppendDescription(*recursion.step, "repeatedly ", &text);
  }
  AppendDescription(route, "", &text);
  if (!route.part.empty()) {
    appendStringInfoString(&text, text.len > 0 ? ", to a part of the key" : "a part of the key");
  }
  if (text.len > 0) return text.data;
  return route.outputs.size() == 1 ? "its own column is the key" : "its own columns are the key";
}

DeltaColumns ColumnsOfDelta(const Route& route) {
  DeltaColumns delta;
  for (Expr* output : route.outputs) CollectDeltaVars(AsNode(output), &delta);
  for (int i = 0; i < route.instances.size(); ++i) {
    CollectDeltaVars(reinterpret_cast<Node*>(route.conditions[i]), &delta);
    if (i == 0) continue;
    const RangeTblEntry* rte = route.instances[i].rte;
    CollectDeltaVars(reinterpret_cast<Node*>(rte->functions), &delta);
    CollectDeltaVars(reinterpret_cast<Node*>(rte->values_lists), &delta);
    CollectDeltaVars(reinterpret_cast<Node*>(rte->tablefunc), &delta);
  }
  list_sort(delta.vars, CompareAttributes);
  return delta;
}

// Appends the text of `route`; false if it cannot be written.
bool AppendQuery(const Route& route, const DeltaColumns* delta, Purpose purpose, StringInfo text) {
  Query* query = RouteQuery(route, delta, purpose);
  if (NamesForeignOperator(reinterpret_cast<Node*>(query))) return false;
  appendStringInfoString(text, QualifiedText(query));
  return true;
}

bool AppendRecursion(const Recurring& recursion, int number, const DeltaColumns* delta,
                     StringInfo text) {
  appendStringInfo(text, "%s %s%d(", number == 1 ? "WITH RECURSIVE" : ",", kNodeName, number);
  for (int i = 0; i < recursion.first->outputs.size(); ++i) {
    appendStringInfo(text, "%sk%d", i == 0 ? "" : ", ", i + 1);
  }
  appendStringInfoString(text, ") AS (");
  if (!AppendQuery(*recursion.first, delta, Purpose::kRecursion, text)) return false;
  appendStringInfoString(text, " UNION ");
  if (!AppendQuery(*recursion.step, nullptr, Purpose::kRecursion, text)) return false;
  appendStringInfoString(text, ")");
  return true;
}

// The lookup as text, or null if it cannot be written.
const char* LookupText(const Route& route, const DeltaColumns& delta) {
  StringInfoData text;
  initStringInfo(&text);
  for (int i = 0; i < route.recursions.size(); ++i) {
    if (!AppendRecursion(route.recursions[i], i + 1, i == 0 ? &delta : nullptr, &text)) {
      return nullptr;
    }
  }
  const DeltaColumns* final_delta = route.recursions.empty() ? &delta : nullptr;
  return AppendQuery(route, final_delta, Purpose::kLookup, &text) ? text.data : nullptr;
}

// Fills in the query and the columns that it needs; or the path stays full.
void WriteLookup(const Route& route, PlainPath* path) {
  const DeltaColumns delta =
      ColumnsOfDelta(route.recursions.empty() ? route : *route.recursions[0].first);
  path->lookup = LookupText(route, delta);
  if (path->lookup == nullptr) {
    path->description = "a subquery on the path compares by an operator that has no name";
    return;
  }
  path->strategy = Strategy::kLookup;
  ListCell* cell;
  foreach (cell, delta.vars) {
    auto* var = static_cast<Var*>(lfirst(cell));
    path->captured.Add({var->varattno, var->vartype});
  }
}

}  // namespace

// Rows that recompute nothing but themselves: to find out whether they count costs what it saves.
bool IsOwnDocument(const PathStart& start, const Route& route) {
  const Query* const query = start.level->scope->query;
  return start.level->outer == nullptr && route.part.empty() && route.instances.size() == 1 &&
         !query->hasAggs && query->groupClause == NIL && !query->hasWindowFuncs &&
         query->distinctClause == NIL;
}

// Leaves out versions of the changed row that do not count, and ways over rows that do not. What
// follows a recursion is as it was. Returns how many conditions there are.
int AddFilters(Route* route) {
  int count = 0;
  if (!route->recursions.empty()) return count;
  for (int i = 0; i < route->instances.size(); ++i) {
    const Occurrence* const occurrence = route->instances[i].occurrence;
    if (occurrence == nullptr || occurrence->kind != OccurrenceKind::kRelation) continue;
    List* const filters = FiltersOf(occurrence, i + 1);
    count += list_length(filters);
    route->conditions[i] = list_concat(route->conditions[i], filters);
  }
  return count;
}

PlainArray<Oid> TypesOf(const Route& route) {
  PlainArray<Oid> types;
  for (Expr* const output : route.outputs) types.Add(exprType(AsNode(output)));
  return types;
}

bool HasTypesOf(const PlainArray<Var*>& columns, const PlainArray<Oid>& types) {
  for (int i = 0; i < columns.size(); ++i) {
    if (columns[i]->vartype != types[i]) return false;
  }
  return true;
}

PlainPath* WritePath(const PathStart& start) {
  auto* path = MakePlain<PlainPath>();
  path->source = start.occurrence->rte->relid;
  path->strategy = Strategy::kFull;
  path->relevant = start.occurrence->columns;
  path->filter = CaptureFilterOf(start.occurrence);
  Route route;
  FollowPath(start, &route);
  if (route.why_not != nullptr) {
    path->description = route.why_not;
    return path;
  }
  path->part = route.part;
  CollectProbes(route, &path->probes);
  const bool is_own_document = IsOwnDocument(start, route);
  const PlainArray<Oid> key = TypesOf(route);
  path->description = Describe(route);
  const int filters = is_own_document ? 0 : AddFilters(&route);
  const bool is_filtered = filters > 0 && route.conditions[0] != NIL;
  const char* const filtered = filters > 0 ? Describe(route) : path->description;
  PlainArray<Var*> direct;
  ShortenRoute(&route, &direct);
  // A lookup returns the key's own types.
  if (!direct.empty() && !(is_filtered && HasTypesOf(direct, key))) {
    path->strategy = Strategy::kDirect;
    for (const Var* column : direct) path->captured.Add({column->varattno, column->vartype});
    return path;
  }
  path->description = filtered;
  WriteLookup(route, path);
  return path;
}

}  // namespace tviews::backend::lineage
