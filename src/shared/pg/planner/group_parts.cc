#include "shared/pg/planner/group_parts.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Values that are kept apart: by display scale, and what is no number.
int KindPlace(const char* value, GroupParts* parts) {
  return PlaceOf(
      psprintf("CASE WHEN %s IS NULL THEN -4 WHEN %s = 'NaN'::numeric THEN -1"
               " WHEN %s = 'Infinity'::numeric THEN -2 WHEN %s = '-Infinity'::numeric THEN -3"
               " ELSE scale(%s) END",
               value, value, value, value, value),
      &parts->classes);
}

// The sum of `value`, which is nothing where `condition` is not met.
int SumPlace(const char* value, const char* condition, GroupParts* parts) {
  return PlaceOf(psprintf("COALESCE(sum(%s * (%s)) FILTER (WHERE %s IS NOT NULL), 0)", value,
                          parts->weight, condition),
                 &parts->sums);
}

}  // namespace

char* ColumnFor(Node* node, GroupParts* parts) {
  int place = 0;
  while (place < list_length(parts->columns) && !equal(list_nth(parts->columns, place), node)) {
    ++place;
  }
  if (place == list_length(parts->columns)) parts->columns = lappend(parts->columns, node);
  return psprintf("c.e%d", place + 1);
}

Node* ArgumentNode(const Aggref* aggregate) {
  return reinterpret_cast<Node*>(linitial_node(TargetEntry, aggregate->args)->expr);
}

char* ArgumentOf(const Aggref* aggregate, GroupParts* parts) {
  Node* const argument = ArgumentNode(aggregate);
  if (aggregate->aggfilter == nullptr) return ColumnFor(argument, parts);
  auto* const arm = makeNode(CaseWhen);
  arm->expr = aggregate->aggfilter;
  arm->result = reinterpret_cast<Expr*>(argument);
  auto* const filtered = makeNode(CaseExpr);
  filtered->casetype = exprType(argument);
  filtered->casecollid = exprCollation(argument);
  filtered->args = list_make1(arm);
  filtered->defresult = reinterpret_cast<Expr*>(
      makeNullConst(filtered->casetype, exprTypmod(argument), filtered->casecollid));
  return ColumnFor(reinterpret_cast<Node*>(filtered), parts);
}

int PlaceOf(char* text, List** list) {
  for (int i = 0; i < list_length(*list); ++i) {
    if (strcmp(static_cast<char*>(list_nth(*list, i)), text) == 0) return i + 1;
  }
  *list = lappend(*list, text);
  return list_length(*list);
}

int CountPlace(const char* condition, GroupParts* parts) {
  return PlaceOf(psprintf("COALESCE(sum(%s) FILTER (WHERE %s), 0)", parts->weight, condition),
                 &parts->sums);
}

SumPlaces SumPlacesOf(const Aggref* aggregate, bool with_squares, GroupParts* parts) {
  const char* const argument = ArgumentOf(aggregate, parts);
  const bool is_numeric = exprType(ArgumentNode(aggregate)) == NUMERICOID;
  const char* const value = is_numeric ? argument : psprintf("%s::numeric", argument);
  // The scale of what is no number is nothing.
  const char* const condition = is_numeric ? psprintf("scale(%s)", argument) : argument;
  SumPlaces places{};
  if (is_numeric) places.kind = KindPlace(argument, parts);
  places.count = CountPlace(psprintf("%s IS NOT NULL", argument), parts);
  places.sum = SumPlace(value, condition, parts);
  if (with_squares) places.squares = SumPlace(psprintf("%s * %s", value, value), condition, parts);
  return places;
}

}  // namespace tviews::pg
