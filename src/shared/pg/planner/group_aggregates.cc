#include "shared/pg/planner/group_aggregates.h"

#include "shared/pg/planner/group_level.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/ruleutils.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// The place of `text` in the array that `list` becomes; the same part is kept once.
int PlaceOf(char* text, List** list) {
  for (int i = 0; i < list_length(*list); ++i) {
    if (strcmp(static_cast<char*>(list_nth(*list, i)), text) == 0) return i + 1;
  }
  *list = lappend(*list, text);
  return list_length(*list);
}

// How many rows meet `condition`.
int CountPlace(const char* condition, GroupParts* parts) {
  return PlaceOf(psprintf("COALESCE(sum(c.%s) FILTER (WHERE %s), 0)", kWeightName, condition),
                 &parts->sums);
}

char* Deparse(Node* node, List* context) { return deparse_expression(node, context, true, false); }

char* ArgumentOf(const Aggref* aggregate, List* context) {
  const auto* const argument = static_cast<TargetEntry*>(linitial(aggregate->args));
  return Deparse(reinterpret_cast<Node*>(argument->expr), context);
}

// "condition", with that of FILTER.
char* Filtered(const Aggref* aggregate, List* context, const char* condition) {
  if (aggregate->aggfilter == nullptr) return pstrdup(condition);
  return psprintf("%s AND (%s)", condition,
                  Deparse(reinterpret_cast<Node*>(aggregate->aggfilter), context));
}

char* Count(const Aggref* aggregate, List* context, GroupParts* parts) {
  if (aggregate->args == NIL && aggregate->aggfilter == nullptr) {
    return pstrdup("COALESCE(sum(s.n), 0)::bigint");
  }
  const char* condition = aggregate->args == NIL
                              ? "true"
                              : psprintf("((%s) IS NOT NULL)", ArgumentOf(aggregate, context));
  const int place = CountPlace(Filtered(aggregate, context, condition), parts);
  return psprintf("COALESCE(sum(s.p[%d]), 0)::bigint", place);
}

char* Boolean(const Aggref* aggregate, List* context, GroupParts* parts, bool decides) {
  const char* const argument = ArgumentOf(aggregate, context);
  const int deciding = CountPlace(
      Filtered(aggregate, context, psprintf("((%s) IS %s)", argument, decides ? "TRUE" : "FALSE")),
      parts);
  const int other = CountPlace(
      Filtered(aggregate, context, psprintf("((%s) IS %s)", argument, decides ? "FALSE" : "TRUE")),
      parts);
  return psprintf("CASE WHEN sum(s.p[%d]) > 0 THEN %s WHEN sum(s.p[%d]) > 0 THEN %s END", deciding,
                  decides ? "true" : "false", other, decides ? "false" : "true");
}

// A sum, or with `divided` the average, of `value` for each row of a state.
char* SumOrAverage(const char* value, int count, bool divided) {
  if (!divided) return psprintf("sum(%s)", value);
  return psprintf("sum(%s) / NULLIF(sum(s.p[%d]), 0)", value, count);
}

char* SumOfIntegers(const Aggref* aggregate, List* context, GroupParts* parts, bool divided) {
  const char* const argument = ArgumentOf(aggregate, context);
  const char* const condition =
      Filtered(aggregate, context, psprintf("((%s) IS NOT NULL)", argument));
  const int count = CountPlace(condition, parts);
  const int sum = PlaceOf(psprintf("COALESCE(sum((%s)::numeric * c.%s) FILTER (WHERE %s), 0)",
                                   argument, kWeightName, condition),
                          &parts->sums);
  char* const value =
      SumOrAverage(psprintf("CASE WHEN s.p[%d] > 0 THEN s.p[%d] END", count, sum), count, divided);
  return aggregate->aggtype == INT8OID ? psprintf("(%s)::bigint", value) : value;
}

char* SumOfNumeric(const Aggref* aggregate, List* context, GroupParts* parts, bool divided) {
  const char* value = ArgumentOf(aggregate, context);
  if (aggregate->aggfilter != nullptr) {
    value = psprintf("CASE WHEN %s THEN %s END",
                     Deparse(reinterpret_cast<Node*>(aggregate->aggfilter), context), value);
  }
  const int kind = PlaceOf(
      psprintf("CASE WHEN (%s) IS NULL THEN -4 WHEN (%s) = 'NaN'::numeric THEN -1"
               " WHEN (%s) = 'Infinity'::numeric THEN -2 WHEN (%s) = '-Infinity'::numeric THEN -3"
               " ELSE scale(%s) END",
               value, value, value, value, value),
      &parts->classes);
  const int count = CountPlace(psprintf("((%s) IS NOT NULL)", value), parts);
  const int sum =
      PlaceOf(psprintf("COALESCE(sum((%s) * c.%s) FILTER (WHERE scale(%s) IS NOT NULL), 0)", value,
                       kWeightName, value),
              &parts->sums);
  return SumOrAverage(
      psprintf("CASE s.c[%d] WHEN -1 THEN 'NaN'::numeric WHEN -2 THEN 'Infinity'::numeric WHEN -3"
               " THEN '-Infinity'::numeric WHEN -4 THEN NULL ELSE s.p[%d] END",
               kind, sum),
      count, divided);
}

}  // namespace

bool IsTakenApart(const Aggref* aggregate) {
  if (aggregate->aggorder != NIL || aggregate->aggdistinct != NIL ||
      aggregate->aggdirectargs != NIL || aggregate->agglevelsup != 0) {
    return false;
  }
  switch (aggregate->aggfnoid) {
    case F_COUNT_ANY:
      // "IS NOT NULL" asks a row for its columns.
      return !type_is_rowtype(
          exprType(reinterpret_cast<Node*>(linitial_node(TargetEntry, aggregate->args)->expr)));
    case F_COUNT_:
    case F_SUM_INT2:
    case F_SUM_INT4:
    case F_SUM_INT8:
    case F_SUM_NUMERIC:
    case F_AVG_INT2:
    case F_AVG_INT4:
    case F_AVG_INT8:
    case F_AVG_NUMERIC:
    case F_BOOL_AND:
    case F_BOOL_OR:
    case F_EVERY:
      return true;
    default:
      return false;
  }
}

char* TakeApart(const Aggref* aggregate, List* context, GroupParts* parts) {
  switch (aggregate->aggfnoid) {
    case F_COUNT_:
    case F_COUNT_ANY:
      return Count(aggregate, context, parts);
    case F_BOOL_AND:
    case F_EVERY:
      return Boolean(aggregate, context, parts, false);
    case F_BOOL_OR:
      return Boolean(aggregate, context, parts, true);
    case F_SUM_NUMERIC:
      return SumOfNumeric(aggregate, context, parts, false);
    case F_AVG_NUMERIC:
      return SumOfNumeric(aggregate, context, parts, true);
    case F_AVG_INT2:
    case F_AVG_INT4:
    case F_AVG_INT8:
      return SumOfIntegers(aggregate, context, parts, true);
    default:
      return SumOfIntegers(aggregate, context, parts, false);
  }
}

}  // namespace tviews::pg
