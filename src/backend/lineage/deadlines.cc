#include "backend/lineage/deadlines.h"

#include <cstring>

#include "backend/lineage/clock.h"
#include "backend/lineage/path_sql.h"
#include "backend/lineage/stable_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/nbtree.h>
#include <access/stratnum.h>
#include <access/transam.h>
#include <catalog/namespace.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/ruleutils.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

bool FindClock(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Query)) return false;
  return IsClock(node) || WalkChildren(node, FindClock, context);
}

bool HasClock(Node* node) { return FindClock(node, nullptr); }

bool IsMoment(Oid type) {
  return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}

// The same whenever it is evaluated, with the settings of the definition.
bool IsUnfixedFunction(Oid function, void* /*context*/) {
  const char how = func_volatile(function);
  if (how == PROVOLATILE_IMMUTABLE) return false;
  return how == PROVOLATILE_VOLATILE || function >= FirstNormalObjectId ||
         KindOfStable(function) != StableKind::kSettings;
}

bool FindUnfixed(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, SubLink) || IsA(node, Query) || IsA(node, Param) || IsA(node, SQLValueFunction) ||
      IsA(node, NextValueExpr) || IsA(node, Aggref) || IsA(node, WindowFunc) ||
      IsA(node, GroupingFunc)) {
    return true;
  }
  return check_functions_in_node(node, IsUnfixedFunction, context) ||
         WalkChildren(node, FindUnfixed, context);
}

bool IsFixed(Node* node) { return !FindUnfixed(node, nullptr) && !expression_returns_set(node); }

// Functions whose result does not go back while their first argument of the clock goes on.
bool KeepsOrder(Oid function) {
  static constexpr const char* kNames[] = {
      "timestamptz_pl_interval",
      "timestamptz_mi_interval",
      "timestamp_pl_interval",
      "timestamp_mi_interval",
      "date_pl_interval",
      "date_mi_interval",
      "date_pli",
      "date_mii",
      "timestamptz",
      "timestamp",
      "date",
      "timezone",
      "date_trunc",
      "integer_pl_date",
      "interval_pl_timestamptz",
      "interval_pl_timestamp",
      "interval_pl_date",
  };
  if (function >= FirstNormalObjectId) return false;
  const char* const name = get_func_name(function);
  for (const char* known : kNames) {
    if (strcmp(name, known) == 0) return true;
  }
  return false;
}

// now(), now() - interval '1 day', CURRENT_DATE::timestamptz, and the like.
bool IsClockSide(Node* node) {
  if (!IsMoment(exprType(node))) return false;
  if (IsClock(node)) return true;
  node = StripRelabel(node);
  List* arguments = NIL;
  if (IsA(node, FuncExpr)) {
    if (!KeepsOrder(reinterpret_cast<FuncExpr*>(node)->funcid)) return false;
    arguments = reinterpret_cast<FuncExpr*>(node)->args;
  } else if (IsA(node, OpExpr)) {
    if (!KeepsOrder(get_opcode(reinterpret_cast<OpExpr*>(node)->opno))) return false;
    arguments = reinterpret_cast<OpExpr*>(node)->args;
  } else {
    return false;
  }
  int clocks = 0;
  ListCell* cell;
  foreach (cell, arguments) {
    auto* const argument = static_cast<Node*>(lfirst(cell));
    if (HasClock(argument)) {
      ++clocks;
      if (!IsClockSide(argument)) return false;
    } else if (contain_var_clause(argument) || !IsFixed(argument)) {
      return false;
    }
  }
  return clocks == 1;
}

// True if local time is part of it: it goes back where daylight saving time ends.
bool FindLocalTime(Node* node, void* context) {
  if (node == nullptr) return false;
  const Oid type = exprType(node);
  if (type == TIMESTAMPOID || type == DATEOID) return true;
  if (type == INTERVALOID) {
    if (!IsA(node, Const) || reinterpret_cast<Const*>(node)->constisnull) return true;
    const Interval* const interval = DatumGetIntervalP(reinterpret_cast<Const*>(node)->constvalue);
    return interval->day != 0 || interval->month != 0;
  }
  return WalkChildren(node, FindLocalTime, context);
}

const Occurrence* OccurrenceWithId(const Tree* tree, int id) { return tree->occurrences[id - 1]; }

struct Outputs {
  const Occurrence* subquery;
  bool fails;
};

// The columns of a subquery as what they are inside.
Node* TakeOutput(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  auto* const outputs = static_cast<Outputs*>(context);
  if (IsA(node, Var)) {
    const auto* const var = reinterpret_cast<Var*>(node);
    const Scope* const inside = outputs->subquery->child;
    if (var->varattno <= 0 || var->varattno > list_length(inside->query->targetList)) {
      outputs->fails = true;
      return node;
    }
    const auto* const entry =
        list_nth_node(TargetEntry, inside->query->targetList, var->varattno - 1);
    return Globalize(inside, AsNode(entry->expr));
  }
  return MutateChildren(node, TakeOutput, context);
}

struct Extremes {
  int count;
};

// min and max over a group, as over one row: each has its value from one of them, and only when
// the clock passes that row's value the comparison changes.
Node* TakeExtreme(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Aggref)) {
    const auto* const aggregate = reinterpret_cast<Aggref*>(node);
    const char* const name =
        aggregate->aggfnoid < FirstNormalObjectId ? get_func_name(aggregate->aggfnoid) : "";
    if (aggregate->agglevelsup == 0 && list_length(aggregate->args) == 1 &&
        (strcmp(name, "min") == 0 || strcmp(name, "max") == 0)) {
      ++static_cast<Extremes*>(context)->count;
      return AsNode(linitial_node(TargetEntry, aggregate->args)->expr);
    }
    return node;
  }
  if (IsA(node, SubLink) || IsA(node, Query)) return node;
  return MutateChildren(node, TakeExtreme, context);
}

// The expression over the one table whose rows give it its value; null if there is none.
Node* OverTable(const Tree* tree, const Scope* scope, Node* expr, const Occurrence** table) {
  Node* node = Globalize(scope, expr);
  for (;;) {
    Extremes extremes = {0};
    node = TakeExtreme(node, &extremes);
    if (extremes.count > 1) return nullptr;
    if (!IsFixed(node) || HasSpecialVars(node)) return nullptr;
    const Bitmapset* const ids = OccurrencesIn(node);
    if (bms_num_members(ids) != 1) return nullptr;
    const Occurrence* const occurrence = OccurrenceWithId(tree, bms_singleton_member(ids));
    if (occurrence->kind == OccurrenceKind::kRelation) {
      *table = occurrence;
      return node;
    }
    if (occurrence->kind != OccurrenceKind::kDerived || occurrence->child == nullptr ||
        occurrence->child->query->setOperations != nullptr ||
        occurrence->child->query->groupingSets != NIL) {
      return nullptr;
    }
    Outputs outputs = {occurrence, false};
    node = TakeOutput(node, &outputs);
    if (outputs.fails) return nullptr;
  }
}

Node* NumberOne(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Var)) {
    auto* const var = static_cast<Var*>(copyObjectImpl(node));
    var->varno = 1;
    return reinterpret_cast<Node*>(var);
  }
  return MutateChildren(node, NumberOne, context);
}

// No clock is moved further: it would leave what a timestamp can be.
constexpr int64 kLongestDays = 4000 * 366 / 2;

// Intervals are compared as if a month were 30 days and a day 24 hours, and the difference of two
// moments has no months: so now() - c > i is c < now() - i where i is its span in microseconds.
// False beyond what a moment can be moved by.
bool SpanOf(const Interval* interval, int64* span) {
  const int64 days = int64{interval->month} * DAYS_PER_MONTH + interval->day;
  if (days > kLongestDays || days < -kLongestDays ||
      interval->time > kLongestDays * USECS_PER_DAY ||
      interval->time < -kLongestDays * USECS_PER_DAY) {
    return false;
  }
  *span = days * USECS_PER_DAY + interval->time;
  return true;
}

bool IsUserFunction(Oid function, void* /*context*/) { return function >= FirstNormalObjectId; }

bool FindUserFunction(Node* node, void* context) {
  if (node == nullptr) return false;
  return check_functions_in_node(node, IsUserFunction, context) ||
         WalkChildren(node, FindUserFunction, context);
}

// What `node` is wherever it is computed; null if that is not known before.
const Const* ConstantOf(Node* node) {
  if (contain_var_clause(node) || !IsFixed(node) || FindUserFunction(node, nullptr)) return nullptr;
  Node* const value = eval_const_expressions(nullptr, node);
  if (!IsA(value, Const) || reinterpret_cast<Const*>(value)->constisnull) return nullptr;
  return reinterpret_cast<Const*>(value);
}

// How far the clock has to be moved back to be compared with the row itself; null if the
// comparison is none of moments.
Const* ShiftOf(Oid subtraction, Node* distance) {
  const Const* const constant = ConstantOf(distance);
  if (constant == nullptr) return nullptr;
  if (subtraction == F_DATE_MI && constant->consttype == INT4OID) {
    const int32 days = DatumGetInt32(constant->constvalue);
    return days <= kLongestDays && days >= -kLongestDays
               ? static_cast<Const*>(copyObjectImpl(constant))
               : nullptr;
  }
  if ((subtraction != F_TIMESTAMPTZ_MI && subtraction != F_TIMESTAMP_MI) ||
      constant->consttype != INTERVALOID) {
    return nullptr;
  }
  auto* const interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
  if (!SpanOf(DatumGetIntervalP(constant->constvalue), &interval->time)) return nullptr;
  return makeConst(INTERVALOID, -1, InvalidOid, sizeof(Interval), IntervalPGetDatum(interval),
                   false, false);
}

// `clock` moved by `shift`, back or on.
Node* MovedClock(Node* clock, const char* operation, Const* shift) {
  const Oid type = exprType(clock);
  List* const name = list_make2(makeString(pstrdup("pg_catalog")), makeString(pstrdup(operation)));
  const Oid operation_id = OpernameGetOprid(name, type, shift->consttype);
  if (!OidIsValid(operation_id)) return nullptr;
  Expr* const moved = make_opclause(operation_id, type, false, reinterpret_cast<Expr*>(clock),
                                    reinterpret_cast<Expr*>(shift), InvalidOid, InvalidOid);
  set_opfuncid(reinterpret_cast<OpExpr*>(moved));
  return AsNode(moved);
}

Node* AsMoment(Node* local) {
  const Oid function = exprType(local) == DATEOID ? F_TIMESTAMPTZ_DATE : F_TIMESTAMPTZ_TIMESTAMP;
  return AsNode(reinterpret_cast<Expr*>(makeFuncExpr(
      function, TIMESTAMPTZOID, list_make1(local), InvalidOid, InvalidOid, COERCE_EXPLICIT_CAST)));
}

// The bounds of a range, whose element type is `type`: columns where it is made of them, so that an
// index on these is of use.
List* BoundsOf(Node* range, Oid type) {
  if (IsA(range, FuncExpr)) {
    const auto* const call = reinterpret_cast<FuncExpr*>(range);
    const int count = list_length(call->args);
    if (call->funcid < FirstNormalObjectId && (count == 2 || count == 3) &&
        exprType(static_cast<Node*>(linitial(call->args))) == type &&
        exprType(static_cast<Node*>(lsecond(call->args))) == type) {
      return list_make2(linitial(call->args), lsecond(call->args));
    }
  }
  List* bounds = NIL;
  static constexpr Oid kFunctions[] = {F_LOWER_ANYRANGE, F_UPPER_ANYRANGE};
  for (const Oid function : kFunctions) {
    bounds = lappend(bounds, makeFuncExpr(function, type, list_make1(range), InvalidOid, InvalidOid,
                                          COERCE_EXPLICIT_CALL));
  }
  return bounds;
}

// A comparison as one of a row with the clock.
struct Compared {
  Node* row;
  Node* clock;
  int strategy;  // of the row's order, left the row; RowCompare's for "not equal"
};

int Commute(int strategy) {
  return strategy <= BTMaxStrategyNumber ? BTCommuteStrategyNumber(strategy) : strategy;
}

const char* NameOf(Oid relation) {
  return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
                                    get_rel_name(relation));
}

class Finder {
 public:
  Finder(const Tree* tree, const Forest* forest, Oid key_type,
         PlainArray<PlainDeadline*>* deadlines)
      : tree_(tree), forest_(forest), key_type_(key_type), deadlines_(deadlines) {}

  bool Run(const Scope* scope) {
    scope_ = scope;
    if (WalkLevel(scope->query, Visit, this)) return false;
    for (const Occurrence* member : scope->members) {
      if (member->child != nullptr && !Run(member->child)) return false;
    }
    for (const Scope* recursion : scope->recursions) {
      if (!Run(recursion)) return false;
    }
    return true;
  }

 private:
  // True: the clock is used otherwise.
  static bool Visit(Node* node, void* context) {
    if (node == nullptr || IsA(node, Query)) return false;
    auto* const self = static_cast<Finder*>(context);
    if (IsA(node, SubLink)) return Visit(reinterpret_cast<SubLink*>(node)->testexpr, context);
    if (IsClock(node)) return true;
    if (IsA(node, OpExpr) && self->IsDeadline(reinterpret_cast<OpExpr*>(node))) return false;
    return WalkChildren(node, Visit, context);
  }

  bool IsDeadline(const OpExpr* comparison) {
    if (list_length(comparison->args) != 2 || comparison->opno >= FirstNormalObjectId) return false;
    auto* const left = static_cast<Node*>(linitial(comparison->args));
    auto* const right = static_cast<Node*>(lsecond(comparison->args));
    const bool is_swapped = HasClock(left);
    if (is_swapped == HasClock(right)) return false;
    const Oid function = get_opcode(comparison->opno);
    if (function == F_RANGE_CONTAINS_ELEM) return IsInRange(left, right);
    if (function == F_ELEM_CONTAINED_BY_RANGE) return IsInRange(right, left);
    const List* const meanings = pg::compat::MeaningsOf(comparison->opno);
    if (meanings == NIL) return false;
    const int strategy = pg::compat::StrategyOf(meanings);
    Compared compared = {is_swapped ? right : left, is_swapped ? left : right,
                         is_swapped ? Commute(strategy) : strategy};
    if (!IsMoment(exprType(compared.clock)) && !TakeDifference(&compared)) return false;
    if (!IsClockSide(compared.clock) || !IsMoment(exprType(compared.row))) return false;
    return AddRow(compared.row, compared.clock, compared.strategy);
  }

  // now() - c > i, and c - now() < i. In `compared` the side of the clock is the difference.
  static bool TakeDifference(Compared* compared) {
    Node* const side = StripRelabel(compared->clock);
    if (!IsA(side, OpExpr) || list_length(reinterpret_cast<OpExpr*>(side)->args) != 2) return false;
    const auto* const difference = reinterpret_cast<OpExpr*>(side);
    Const* const shift = ShiftOf(get_opcode(difference->opno), compared->row);
    if (shift == nullptr) return false;
    auto* const from = static_cast<Node*>(linitial(difference->args));
    auto* const taken = static_cast<Node*>(lsecond(difference->args));
    const bool is_age = HasClock(from);
    if (is_age == HasClock(taken)) return false;
    // i < now() - c is c < now() - i; i < c - now() is c > now() + i.
    compared->row = is_age ? taken : from;
    compared->clock = MovedClock(is_age ? from : taken, is_age ? "-" : "+", shift);
    if (!is_age) compared->strategy = Commute(compared->strategy);
    return compared->clock != nullptr;
  }

  // Which bound belongs to the range makes no difference: a row too many is no harm.
  bool IsInRange(Node* range, Node* clock) {
    if (!HasClock(clock) || !IsClockSide(clock)) return false;
    bool any = false;
    ListCell* cell;
    foreach (cell, BoundsOf(range, exprType(clock))) {
      auto* const bound = static_cast<Node*>(lfirst(cell));
      if (IsA(bound, Const) && reinterpret_cast<Const*>(bound)->constisnull) continue;  // no end
      if (!AddRow(bound, clock, BTEqualStrategyNumber)) return false;
      any = true;
    }
    return any;
  }

  bool AddRow(Node* row, Node* clock, int strategy) {
    const Occurrence* table = nullptr;
    Node* const over_table = OverTable(tree_, scope_, row, &table);
    return over_table != nullptr && Add(table, over_table, clock, strategy);
  }

  bool Add(const Occurrence* table, Node* row, Node* clock, int strategy) {
    auto* const deadline = MakePlain<PlainDeadline>();
    const Oid relation = table->rte->relid;
    deadline->rough = nullptr;
    deadline->expr = NumberOne(row, nullptr);
    List* const context = deparse_context_for("r", relation);
    // PostgreSQL compares local time with moments as moments. Their order is not the same where
    // local time jumps, though an index on local time is searched as if it were.
    if (exprType(row) != TIMESTAMPTZOID && exprType(clock) == TIMESTAMPTZOID) {
      deadline->rough = deparse_expression(deadline->expr, context, true, false);
      row = AsMoment(row);
    } else if (exprType(row) == TIMESTAMPTZOID && exprType(clock) != TIMESTAMPTZOID) {
      clock = AsMoment(clock);
    }
    deadline->clock = deparse_expression(clock, NIL, false, false);
    deadline->type = format_type_be_qualified(exprType(clock));
    deadline->relation = relation;
    deadline->row = deparse_expression(NumberOne(row, nullptr), context, true, false);
    deadline->row_type = format_type_be_qualified(exprType(row));
    deadline->table = NameOf(relation);
    // row > clock and row <= clock change when the clock reaches the row's value, row >= clock and
    // row < clock when it passes it.
    deadline->changes_when_reached =
        strategy != BTGreaterEqualStrategyNumber && strategy != BTLessStrategyNumber;
    deadline->changes_when_passed =
        strategy != BTGreaterStrategyNumber && strategy != BTLessEqualStrategyNumber;
    deadline->may_go_back = FindLocalTime(clock, nullptr);
    for (const PathStart& start : forest_->starts) {
      if (start.occurrence == table) AddQuery(relation, WritePath(start), deadline);
    }
    if (deadline->queries.empty()) return false;
    deadlines_->Add(deadline);
    return true;
  }

  void AddQuery(Oid relation, const PlainPath* path, PlainDeadline* deadline) const {
    const char* const from = psprintf(" FROM %s AS r WHERE ", deadline->table);
    if (path->strategy == Strategy::kFull) {
      deadline->queries.Add({psprintf("SELECT 1%s", from), " LIMIT 1", true});
      return;
    }
    if (path->strategy == Strategy::kDirect) {
      const char* const key =
          quote_identifier(get_attname(relation, path->captured[0].attribute, false));
      deadline->queries.Add(
          {psprintf("SELECT DISTINCT r.%s::%s%s", key, format_type_be_qualified(key_type_), from),
           "", false});
      return;
    }
    const char* columns = "";
    const char* values = "";
    for (const PlainColumn& column : path->captured) {
      const char* const comma = *columns == '\0' ? "" : ", ";
      columns = psprintf("%s%sc%d", columns, comma, column.attribute);
      values = psprintf("%s%sr.%s", values, comma,
                        quote_identifier(get_attname(relation, column.attribute, false)));
    }
    deadline->queries.Add(
        {psprintf("WITH pg_tviews_delta (%s) AS MATERIALIZED (SELECT %s%s", columns, values, from),
         psprintf(") SELECT l.key FROM (%s) AS l", path->lookup), false});
  }

  const Tree* tree_;
  const Forest* forest_;
  Oid key_type_;
  PlainArray<PlainDeadline*>* deadlines_;
  const Scope* scope_ = nullptr;
};

}  // namespace

bool FindDeadlines(const Tree* tree, const Forest* forest, TypeId key_type,
                   PlainArray<PlainDeadline*>* deadlines) {
  return Finder(tree, forest, key_type, deadlines).Run(tree->top);
}

}  // namespace tviews::backend::lineage
