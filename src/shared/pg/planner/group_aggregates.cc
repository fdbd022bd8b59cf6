#include "shared/pg/planner/group_aggregates.h"

#include "shared/pg/planner/group_slots.h"
#include "shared/pg/planner/group_variance.h"
#include "shared/pg/server/image_equality.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_collation.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Equal values have the same text, and a value always has the same.
bool HasValueText(TypeId type, Oid collation) {
  switch (type) {
    case NUMERICOID:
      return true;
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case TEXTOID:
    case VARCHAROID:
    case UUIDOID:
    case BOOLOID:
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return IsImageEqual(type, collation);
    default:
      return false;
  }
}

char* CountOfDistinct(const Aggref* aggregate, GroupParts* parts) {
  const TypeId type = exprType(ArgumentNode(aggregate));
  const char* const argument = ArgumentOf(aggregate, parts);
  char* const text = type == NUMERICOID ? psprintf("(trim_scale(%s))::text", argument)
                                        : EncodedText(argument, type);
  const int value = PlaceOf(text, &parts->values);
  if (value > list_length(parts->counts)) {
    // The rows of the tables add nothing to it.
    parts->sums = lappend(parts->sums, pstrdup("0"));
    parts->counts = lappend_int(parts->counts, list_length(parts->sums));
  }
  return psprintf("COALESCE(sum(s.p[%d]), 0)::bigint", list_nth_int(parts->counts, value - 1));
}

char* Count(const Aggref* aggregate, GroupParts* parts) {
  if (CountsDistinct(aggregate)) return CountOfDistinct(aggregate, parts);
  if (aggregate->args == NIL && aggregate->aggfilter == nullptr) {
    if (parts->is_nullable) return pstrdup("COALESCE(sum(COALESCE(s.n, 1)), 0)::bigint");
    return pstrdup(parts->has_counts ? "COALESCE(sum(s.n) FILTER (WHERE s.c[1] = 0), 0)::bigint"
                                     : "COALESCE(sum(s.n), 0)::bigint");
  }
  const char* const condition =
      aggregate->args == NIL ? ColumnFor(reinterpret_cast<Node*>(aggregate->aggfilter), parts)
                             : psprintf("%s IS NOT NULL", ArgumentOf(aggregate, parts));
  return psprintf("COALESCE(sum(s.p[%d]), 0)::bigint", CountPlace(condition, parts));
}

char* Boolean(const Aggref* aggregate, GroupParts* parts, bool decides) {
  const char* const argument = ArgumentOf(aggregate, parts);
  const int deciding =
      CountPlace(psprintf("%s IS %s", argument, decides ? "TRUE" : "FALSE"), parts);
  const int other = CountPlace(psprintf("%s IS %s", argument, decides ? "FALSE" : "TRUE"), parts);
  return psprintf("CASE WHEN sum(s.p[%d]) > 0 THEN %s WHEN sum(s.p[%d]) > 0 THEN %s END", deciding,
                  decides ? "true" : "false", other, decides ? "false" : "true");
}

// A sum, or with `divided` the average, of `value` for each row of a state.
char* SumOrAverage(const char* value, int count, bool divided) {
  if (!divided) return psprintf("sum(%s)", value);
  return psprintf("sum(%s) / NULLIF(sum(s.p[%d]), 0)", value, count);
}

char* Sum(const Aggref* aggregate, GroupParts* parts, bool divided) {
  const SumPlaces places = SumPlacesOf(aggregate, false, parts);
  const char* const value =
      places.kind == 0
          ? psprintf("CASE WHEN s.p[%d] > 0 THEN s.p[%d] END", places.count, places.sum)
          : psprintf(
                "CASE s.c[%d] WHEN -1 THEN 'NaN'::numeric WHEN -2 THEN 'Infinity'::numeric"
                " WHEN -3 THEN '-Infinity'::numeric WHEN -4 THEN NULL ELSE s.p[%d] END",
                places.kind, places.sum);
  char* const sum = SumOrAverage(value, places.count, divided);
  return aggregate->aggtype == INT8OID ? psprintf("(%s)::bigint", sum) : sum;
}

char* Extreme(const Aggref* aggregate, GroupParts* parts, bool is_max) {
  char* const value = ArgumentOf(aggregate, parts);
  int place = 0;
  for (; place < list_length(parts->extremes); ++place) {
    const auto* const known = static_cast<GroupExtreme*>(list_nth(parts->extremes, place));
    if (known->is_max == is_max && strcmp(known->value, value) == 0) break;
  }
  if (place == list_length(parts->extremes)) {
    auto* const extreme = static_cast<GroupExtreme*>(palloc(sizeof(GroupExtreme)));
    *extreme = {.is_max = is_max, .value = value, .type = aggregate->aggtype};
    parts->extremes = lappend(parts->extremes, extreme);
  }
  return psprintf("%s(%s)", is_max ? "max" : "min",
                  DecodedText(psprintf("s.m[%d]", 2 * place + 1), aggregate->aggtype));
}

// Among values that are equal and look different, the server takes the one that it meets last.
bool IsExactExtreme(const Aggref* aggregate) {
  Node* const argument = ArgumentNode(aggregate);
  if (aggregate->aggtype == NUMERICOID) {
    return IsExact(argument);
  }
  return aggregate->aggtype != TEXTOID || aggregate->inputcollid == DEFAULT_COLLATION_OID;
}

}  // namespace

bool CountsDistinct(const Aggref* aggregate) {
  return aggregate->aggfnoid == F_COUNT_ANY && aggregate->aggdistinct != NIL;
}

bool IsTakenApart(const Aggref* aggregate) {
  if (aggregate->aggorder != NIL || aggregate->aggdirectargs != NIL ||
      aggregate->agglevelsup != 0) {
    return false;
  }
  if (aggregate->aggdistinct != NIL) {
    return CountsDistinct(aggregate) &&
           HasValueText(exprType(ArgumentNode(aggregate)), exprCollation(ArgumentNode(aggregate)));
  }
  if (IsVariance(aggregate)) return true;
  switch (aggregate->aggfnoid) {
    case F_COUNT_ANY:
      // "IS NOT NULL" asks a row for its columns.
      return !type_is_rowtype(exprType(ArgumentNode(aggregate)));
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
    case F_MAX_INT2:
    case F_MAX_INT4:
    case F_MAX_INT8:
    case F_MAX_DATE:
    case F_MAX_TIMESTAMP:
    case F_MAX_TIMESTAMPTZ:
    case F_MAX_NUMERIC:
    case F_MAX_TEXT:
    case F_MIN_INT2:
    case F_MIN_INT4:
    case F_MIN_INT8:
    case F_MIN_DATE:
    case F_MIN_TIMESTAMP:
    case F_MIN_TIMESTAMPTZ:
    case F_MIN_NUMERIC:
    case F_MIN_TEXT:
      return IsExactExtreme(aggregate);
    default:
      return false;
  }
}

char* TakeApart(const Aggref* aggregate, GroupParts* parts) {
  if (IsVariance(aggregate)) return VarianceOf(aggregate, parts);
  switch (aggregate->aggfnoid) {
    case F_COUNT_:
    case F_COUNT_ANY:
      return Count(aggregate, parts);
    case F_BOOL_AND:
    case F_EVERY:
      return Boolean(aggregate, parts, false);
    case F_BOOL_OR:
      return Boolean(aggregate, parts, true);
    case F_AVG_INT2:
    case F_AVG_INT4:
    case F_AVG_INT8:
    case F_AVG_NUMERIC:
      return Sum(aggregate, parts, true);
    case F_SUM_INT2:
    case F_SUM_INT4:
    case F_SUM_INT8:
    case F_SUM_NUMERIC:
      return Sum(aggregate, parts, false);
    case F_MAX_INT2:
    case F_MAX_INT4:
    case F_MAX_INT8:
    case F_MAX_DATE:
    case F_MAX_TIMESTAMP:
    case F_MAX_TIMESTAMPTZ:
    case F_MAX_NUMERIC:
    case F_MAX_TEXT:
      return Extreme(aggregate, parts, true);
    default:
      return Extreme(aggregate, parts, false);
  }
}

char* ExtremesOfRows(const GroupExtreme* extreme, const char* weight) {
  const char* const function = extreme->is_max ? "max" : "min";
  const char* const come =
      psprintf("%s(%s) FILTER (WHERE %s > 0)", function, extreme->value, weight);
  const char* const go = psprintf("%s(%s) FILTER (WHERE %s < 0)", function, extreme->value, weight);
  return psprintf("%s, %s", EncodedText(come, extreme->type), EncodedText(go, extreme->type));
}

// What is kept stays right if all that goes is worse, or what comes is not. Of a join, what comes
// may go in the same step: of a row that is taken out of a table as it is now, to have it as it
// was. There all that goes has to be worse than what is kept then.
char* MergedExtremes(const GroupExtreme* extreme, int place, bool is_join) {
  const int value = 2 * place + 1;
  const char* const kept = DecodedText(psprintf("s.m[%d]", value), extreme->type);
  const char* const comes = DecodedText(psprintf("excluded.m[%d]", value), extreme->type);
  const char* const goes = DecodedText(psprintf("excluded.m[%d]", value + 1), extreme->type);
  const char* const worse = extreme->is_max ? "<" : ">";
  const char* const best =
      psprintf("%s(%s, %s)", extreme->is_max ? "greatest" : "least", kept, comes);
  const char* const stays =
      is_join ? psprintf("%s %s %s", goes, worse, best)
              : psprintf("%s %s %s OR NOT %s %s %s", goes, worse, kept, comes, worse, kept);
  return psprintf(
      "%s, CASE WHEN s.m[%d] IS NULL AND (excluded.m[%d] IS NULL OR %s) THEN NULL ELSE '?' END",
      EncodedText(best, extreme->type), value + 1, value + 1, stays);
}

}  // namespace tviews::pg
