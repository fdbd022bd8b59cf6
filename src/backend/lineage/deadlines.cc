#include "backend/lineage/deadlines.h"

#include <cstring>

#include "backend/lineage/clock.h"
#include "backend/lineage/path_sql.h"
#include "backend/lineage/stable_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/nbtree.h>
#include <access/stratnum.h>
#include <access/transam.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/ruleutils.h>
#include <utils/timestamp.h>
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
  static constexpr const char* kNames[] = {"timestamptz_pl_interval",
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
                                           "interval_pl_date"};
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

// The expression over the one table whose rows give it its value; null if there is none.
Node* OverTable(const Tree* tree, const Scope* scope, Node* expr, const Occurrence** table) {
  Node* node = Globalize(scope, expr);
  for (;;) {
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
    auto* left = static_cast<Node*>(linitial(comparison->args));
    auto* right = static_cast<Node*>(lsecond(comparison->args));
    const bool is_swapped = HasClock(left);
    if (is_swapped == HasClock(right)) return false;
    Node* const clock = is_swapped ? left : right;
    Node* const row = is_swapped ? right : left;
    if (!IsClockSide(clock) || !IsMoment(exprType(row))) return false;
    const List* const meanings = get_op_btree_interpretation(comparison->opno);
    if (meanings == NIL) return false;
    int strategy = static_cast<OpBtreeInterpretation*>(linitial(meanings))->strategy;
    if (is_swapped && strategy <= BTMaxStrategyNumber) strategy = BTCommuteStrategyNumber(strategy);
    const Occurrence* table = nullptr;
    Node* const over_table = OverTable(tree_, scope_, row, &table);
    return over_table != nullptr && Add(table, over_table, clock, strategy);
  }

  bool Add(const Occurrence* table, Node* row, Node* clock, int strategy) {
    auto* const deadline = MakePlain<PlainDeadline>();
    const Oid relation = table->rte->relid;
    deadline->clock = deparse_expression(clock, NIL, false, false);
    deadline->type = format_type_be_qualified(exprType(clock));
    deadline->relation = relation;
    deadline->expr = NumberOne(row, nullptr);
    deadline->row =
        deparse_expression(deadline->expr, deparse_context_for("r", relation), true, false);
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
