// The texts of a level that has a state.
#include "shared/pg/planner/group_aggregates.h"
#include "shared/pg/planner/group_expressions.h"
#include "shared/pg/planner/group_level.h"
#include "shared/pg/planner/group_slots.h"
#include "shared/pg/tables/columns.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/relation.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/ruleutils.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

using compat::MutatorForServer;

GroupSource* SourceAt(const GroupLevel* level, int place) {
  return static_cast<GroupSource*>(list_nth(level->sources, place));
}

GroupKey* KeyAt(const GroupLevel* level, int place) {
  return static_cast<GroupKey*>(list_nth(level->keys, place));
}

// Joins `texts`, a list of char*, with commas.
char* Listed(const List* texts) {
  StringInfoData text;
  initStringInfo(&text);
  for (int i = 0; i < list_length(texts); ++i) {
    appendStringInfo(&text, "%s%s", i == 0 ? "" : ", ", static_cast<char*>(list_nth(texts, i)));
  }
  return text.data;
}

char* ArrayOf(const List* texts, const char* type) {
  return psprintf("ARRAY[%s]::%s[]", Listed(texts), type);
}

// Sees the tables as entries from 1 on, in the order of the sources.
Node* Renumbered(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (!IsA(node, Var)) return expression_tree_mutator(node, MutatorForServer(Renumbered), context);
  const auto* const level = static_cast<const GroupLevel*>(context);
  auto* const var = static_cast<Var*>(copyObjectImpl(node));
  int place = 0;
  while (SourceAt(level, place)->entry != static_cast<int>(var->varno)) ++place;
  var->varno = place + 1;
  var->varnosyn = static_cast<Index>(place + 1);
  var->varattnosyn = var->varattno;
#if PG_VERSION_NUM >= 160000
  var->varnullingrels = nullptr;
#endif
  return reinterpret_cast<Node*>(var);
}

Node* InRows(Node* node, const GroupLevel* level) {
  return Renumbered(node, const_cast<GroupLevel*>(level));
}

// The named rows of a table, with its columns under their numbers and then the weight.
RangeTblEntry* RowsEntry(const GroupSource* source, int place, AttrNumber* weight) {
  auto* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_CTE;
  entry->ctename = pstrdup(kGroupRows[place]);
  entry->inFromCl = true;
  entry->alias = makeAlias(psprintf("c%d", place + 1), NIL);
  List* names = NIL;
  Relation const table = relation_open(source->relation, NoLock);
  TupleDesc const columns = RelationGetDescr(table);
  for (int i = 0; i < columns->natts; ++i) {
    const FormData_pg_attribute* const column = TupleDescAttr(columns, i);
    names =
        lappend(names, makeString(pstrdup(column->attisdropped ? "" : NameStr(column->attname))));
  }
  *weight = static_cast<AttrNumber>(columns->natts + 1);
  relation_close(table, NoLock);
  names = lappend(names, makeString(pstrdup(kWeightName)));
  entry->eref = makeAlias(entry->alias->aliasname, names);
  return entry;
}

void AddTarget(Query* query, Node* expr, const char* name) {
  query->targetList =
      lappend(query->targetList,
              makeTargetEntry(reinterpret_cast<Expr*>(expr),
                              static_cast<AttrNumber>(list_length(query->targetList) + 1),
                              pstrdup(name), false));
}

// The rows c: what of the joined rows of the tables is used, one by one, and their weights.
char* JoinedRows(const GroupLevel* level, const GroupParts* parts) {
  auto* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->jointree = makeFromExpr(NIL, nullptr);
  for (int i = 0; i < list_length(parts->columns); ++i) {
    AddTarget(query, InRows(static_cast<Node*>(list_nth(parts->columns, i)), level),
              psprintf("e%d", i + 1));
  }
  for (int place = 0; place < list_length(level->sources); ++place) {
    AttrNumber weight = 0;
    query->rtable = lappend(query->rtable, RowsEntry(SourceAt(level, place), place, &weight));
    auto* const reference = makeNode(RangeTblRef);
    reference->rtindex = place + 1;
    query->jointree->fromlist = lappend(query->jointree->fromlist, reference);
    AddTarget(query,
              reinterpret_cast<Node*>(makeVar(place + 1, weight, INT8OID, -1, InvalidOid, 0)),
              psprintf("w%d", place + 1));
  }
  if (level->filters != NIL) {
    query->jointree->quals =
        InRows(reinterpret_cast<Node*>(make_ands_explicit(level->filters)), level);
  }
  return pg_get_querydef(query, false);
}

const char* WeightOfRow(const GroupLevel* level) {
  char* text = pstrdup("c.w1");
  for (int place = 1; place < list_length(level->sources); ++place) {
    text = psprintf("%s * c.w%d", text, place + 1);
  }
  return text;
}

char* KeyColumn(const GroupLevel* level, int place, GroupParts* parts) {
  return ColumnFor(KeyAt(level, place)->expr, parts);
}

char* KeyText(const GroupLevel* level, GroupParts* parts) {
  if (level->key_type != TEXTARRAYOID) {
    return level->keys == NIL ? pstrdup("0") : KeyColumn(level, 0, parts);
  }
  List* texts = NIL;
  for (int i = 0; i < list_length(level->keys); ++i) {
    texts =
        lappend(texts, EncodedText(KeyColumn(level, i, parts), exprType(KeyAt(level, i)->expr)));
  }
  return ArrayOf(texts, "text");
}

// The columns of a group in their slots, each after a comma: as columns of rows c that are called
// so, as what is grouped by, and their names.
struct SlotTexts {
  char* named;
  char* grouped;
  char* names;
};
SlotTexts TextsOfSlots(const GroupLevel* level, GroupParts* parts) {
  StringInfoData named;
  StringInfoData grouped;
  StringInfoData names;
  initStringInfo(&named);
  initStringInfo(&grouped);
  initStringInfo(&names);
  for (int i = 0; level->key_type == TEXTARRAYOID && i < list_length(level->keys); ++i) {
    const char* const column = KeyColumn(level, i, parts);
    const char* const slot = SlotName(KeyAt(level, i)->slot);
    appendStringInfo(&named, ", %s AS %s", column, slot);
    appendStringInfo(&grouped, ", %s", column);
    appendStringInfo(&names, ", %s", slot);
  }
  return {named.data, grouped.data, names.data};
}

char* AddedOf(const GroupLevel* level, GroupParts* parts, const char* rows, SlotTexts slots) {
  List* extremes = NIL;
  for (int i = 0; i < list_length(parts->extremes); ++i) {
    auto* const extreme = static_cast<GroupExtreme*>(list_nth(parts->extremes, i));
    extremes = lappend(extremes, ExtremesOfRows(extreme, parts->weight));
  }
  return psprintf(
      "SELECT %s AS k, %s AS c, sum(%s)::bigint AS n, %s AS p, %s AS m%s FROM (%s) AS c GROUP BY 1,"
      " 2%s",
      KeyText(level, parts), ArrayOf(parts->classes, "integer"), parts->weight,
      ArrayOf(parts->sums, "numeric"), ArrayOf(extremes, "text"), slots.named, rows, slots.grouped);
}

char* ValuedOf(const GroupLevel* level, GroupParts* parts, const char* rows, SlotTexts slots) {
  List* values = NIL;
  for (int i = 0; i < list_length(parts->values); ++i) {
    values = lappend(values,
                     psprintf("(%d, %s)", i + 1, static_cast<char*>(list_nth(parts->values, i))));
  }
  return psprintf(
      "SELECT %s AS k, d.place, d.v, sum(%s)::bigint AS n%s FROM (%s) AS c, LATERAL (VALUES %s) AS"
      " d (place, v) WHERE d.v IS NOT NULL GROUP BY 1, d.place, d.v%s",
      KeyText(level, parts), parts->weight, slots.named, rows, Listed(values), slots.grouped);
}

// A row with counts and nothing else: its other classes are those of rows without values.
char* CountedOf(const GroupParts* parts, SlotTexts slots) {
  List* classes = list_make1(pstrdup("1"));
  for (int i = 1; i < list_length(parts->classes); ++i) classes = lappend(classes, pstrdup("-4"));
  List* sums = NIL;
  for (int i = 0; i < list_length(parts->sums); ++i) {
    char* sum = pstrdup("0");
    for (int j = 0; j < list_length(parts->counts); ++j) {
      if (list_nth_int(parts->counts, j) != i + 1) continue;
      sum = psprintf("COALESCE(sum(v.d) FILTER (WHERE v.place = %d), 0)", j + 1);
    }
    sums = lappend(sums, sum);
  }
  List* extremes = NIL;
  for (int i = 0; i < list_length(parts->extremes); ++i) {
    extremes = lappend(extremes, pstrdup("NULL, NULL"));
  }
  return psprintf(
      "SELECT v.k, %s AS c, sum(v.d)::bigint AS n, %s AS p, %s AS m%s FROM %s AS v GROUP"
      " BY v.k%s",
      ArrayOf(classes, "integer"), ArrayOf(sums, "numeric"), ArrayOf(extremes, "text"), slots.names,
      kCountedValues, slots.names);
}

// All rows. How often a value is there does not matter if it is.
char* BodyOf(const GroupLevel* level) {
  if (level->valued[0] == '\0') return pstrdup(level->added);
  return psprintf(
      "%s UNION ALL SELECT * FROM (WITH %s AS (SELECT *, 1 AS d FROM (%s) AS v WHERE v.n > 0) %s) "
      "AS"
      " counted",
      level->added, kCountedValues, level->valued, level->counted);
}

// What the rows of a row s of the state have in common. The operator is one that an index knows, or
// one that knows NULL.
char* OfGroup(const GroupLevel* level, GroupParts* parts, const char* compares) {
  StringInfoData text;
  initStringInfo(&text);
  for (int i = 0; i < list_length(level->keys); ++i) {
    appendStringInfo(&text, " AND %s %s s.%s", KeyColumn(level, i, parts), compares,
                     SlotName(KeyAt(level, i)->slot));
  }
  for (int i = 0; i < list_length(parts->classes); ++i) {
    appendStringInfo(&text, " AND (%s) = s.c[%d]", static_cast<char*>(list_nth(parts->classes, i)),
                     i + 1);
  }
  return text.data;
}

char* Renewed(const GroupExtreme* extreme, const char* rows, const char* of_group) {
  const char* const found = psprintf("%s(%s)", extreme->is_max ? "max" : "min", extreme->value);
  return psprintf("(SELECT %s FROM (%s) AS c WHERE true%s)", EncodedText(found, extreme->type),
                  rows, of_group);
}

char* RenewedExtremes(const GroupLevel* level, GroupParts* parts, const char* rows) {
  StringInfoData has_nulls;
  initStringInfo(&has_nulls);
  for (int i = 0; i < list_length(level->keys); ++i) {
    appendStringInfo(&has_nulls, " OR s.%s IS NULL", SlotName(KeyAt(level, i)->slot));
  }
  List* texts = NIL;
  for (int i = 0; i < list_length(parts->extremes); ++i) {
    const auto* const extreme = static_cast<GroupExtreme*>(list_nth(parts->extremes, i));
    char* text = Renewed(extreme, rows, OfGroup(level, parts, "="));
    if (level->keys != NIL) {
      text = psprintf("CASE WHEN false%s THEN %s ELSE %s END", has_nulls.data,
                      Renewed(extreme, rows, OfGroup(level, parts, "IS NOT DISTINCT FROM")), text);
    }
    texts = lappend(texts, psprintf("CASE WHEN s.m[%d] IS NULL THEN s.m[%d] ELSE %s END, NULL",
                                    2 * i + 2, 2 * i + 1, text));
  }
  return ArrayOf(texts, "text");
}

char* MergedArray(const GroupParts* parts, bool is_join) {
  List* texts = NIL;
  for (int i = 0; i < list_length(parts->extremes); ++i) {
    texts = lappend(texts, MergedExtremes(static_cast<GroupExtreme*>(list_nth(parts->extremes, i)),
                                          i, is_join));
  }
  return ArrayOf(texts, "text");
}

// "at", or "(at, zone)" of what is made of these columns.
char* KeyName(const GroupLevel* level, Node* expr) {
  List* columns = NIL;
  for (int place = 0; place < list_length(level->sources); ++place) {
    const GroupSource* const source = SourceAt(level, place);
    Bitmapset* const used = ColumnsIn(expr, source->entry);
    for (int i = -1; (i = bms_next_member(used, i)) >= 0;) {
      columns = lappend(columns, get_attname(source->relation, static_cast<AttrNumber>(i), false));
    }
  }
  return IsA(expr, Var) ? Listed(columns) : psprintf("(%s)", Listed(columns));
}

char* NameOf(const GroupLevel* level) {
  List* tables = NIL;
  for (int place = 0; place < list_length(level->sources); ++place) {
    tables = lappend(tables, get_rel_name(SourceAt(level, place)->relation));
  }
  List* columns = NIL;
  for (int i = 0; i < list_length(level->keys); ++i) {
    columns = lappend(columns, KeyName(level, KeyAt(level, i)->expr));
  }
  return columns == NIL ? Listed(tables) : psprintf("%s by %s", Listed(tables), Listed(columns));
}

char* SpecOf(const GroupLevel* level) {
  StringInfoData text;
  initStringInfo(&text);
  for (int place = 1; place < list_length(level->sources); ++place) {
    const Oid table = SourceAt(level, place)->relation;
    appendStringInfo(&text, "%s%s AS (SELECT *, 1::bigint AS %s FROM ONLY %s)",
                     place == 1 ? "WITH " : ", ", kGroupRows[place], kWeightName,
                     quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                                get_rel_name(table)));
  }
  return psprintf("%s%s%s", text.data, text.len == 0 ? "" : " ", level->body);
}

}  // namespace

void DescribeGroupLevel(GroupLevel* level) {
  GroupParts parts{};
  parts.weight = WeightOfRow(level);
  parts.is_nullable = level->join != nullptr;
  for (int i = 0; i < list_length(level->aggregates); ++i) {
    if (CountsDistinct(static_cast<Aggref*>(list_nth(level->aggregates, i)))) {
      parts.has_counts = true;
    }
  }
  if (parts.has_counts) parts.classes = list_make1(pstrdup("0"));
  KeyText(level, &parts);
  for (int i = 0; i < list_length(level->aggregates); ++i) {
    auto* const aggregate = static_cast<Aggref*>(list_nth(level->aggregates, i));
    level->finals = lappend(level->finals, TakeApart(aggregate, &parts));
  }
  const char* const rows = JoinedRows(level, &parts);
  level->sums = list_length(parts.sums);
  level->extremes = list_length(parts.extremes);
  const SlotTexts slots = TextsOfSlots(level, &parts);
  level->places = slots.names;
  level->added = AddedOf(level, &parts, rows, slots);
  level->valued = parts.has_counts ? ValuedOf(level, &parts, rows, slots) : "";
  level->counted = parts.has_counts ? CountedOf(&parts, slots) : "";
  level->body = BodyOf(level);
  level->spec = SpecOf(level);
  level->merged = parts.extremes == NIL ? "" : MergedArray(&parts, list_length(level->sources) > 1);
  level->renewed = parts.extremes == NIL ? "" : RenewedExtremes(level, &parts, rows);
  level->name = NameOf(level);
}

}  // namespace tviews::pg
