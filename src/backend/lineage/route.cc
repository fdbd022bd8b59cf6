#include "backend/lineage/route.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/stratnum.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

// What stands for an occurrence at one point of the path: an instance, or, for a subquery that the
// path left, its columns.
struct Binding {
  const Occurrence* occurrence = nullptr;
  int instance = 0;
  const ExitRequest* numbers = nullptr;
  PlainArray<Expr*> columns;
};

struct Substitution {
  const Binding* first;
  const Binding* second;
};

Node* SubstituteVar(Var* var, const Binding& binding) {
  if (binding.instance != 0) {
    Var* copy = static_cast<Var*>(copyObjectImpl(var));
    copy->varno = binding.instance;
    return reinterpret_cast<Node*>(copy);
  }
  for (int i = 0; i < binding.columns.size(); ++i) {
    if (binding.numbers->columns[i].number != var->varattno) continue;
    return WithCollation(static_cast<Node*>(copyObjectImpl(binding.columns[i])), var->varcollid);
  }
  elog(ERROR, "lineage path lacks column %d", var->varattno);
}

Node* Substitute(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Var)) {
    const auto* substitution = static_cast<const Substitution*>(context);
    auto* var = reinterpret_cast<Var*>(node);
    for (const Binding* binding : {substitution->first, substitution->second}) {
      if (binding != nullptr && binding->occurrence->id == var->varno) {
        return SubstituteVar(var, *binding);
      }
    }
    elog(ERROR, "lineage path lacks occurrence %d", var->varno);
  }
  return MutateChildren(node, Substitute, context);
}

Node* Bind(Node* node, const Binding& first, const Binding* second = nullptr) {
  Substitution substitution = {&first, second};
  return Substitute(node, &substitution);
}

class Walk {
 public:
  explicit Walk(Route* route) : route_(route) {}

  void Run(const PathStart& start) {
    Level* level = start.level;
    Binding current = AddInstance(start.occurrence, nullptr);
    for (;;) {
      const MemberState& state = level->states[current.occurrence->position];
      if (state.step == Step::kNone) {
        route_->why_not =
            level->why_not != nullptr ? level->why_not : "no condition leads from it to the key";
        return;
      }
      if (state.step == Step::kHop) {
        current = Hop(current, state);
        level = state.next_level;
        continue;
      }
      PlainArray<Expr*> columns = BindKnown(state.columns, current);
      if (level->mates != nullptr) {
        current = JoinMates(*level->mates, columns);
        level = level->mates->rows;
      } else if (level->backward != nullptr) {
        current = GoBack(*level->backward, columns);
        level = level->backward->start_level;
      } else if (level->outer == nullptr) {
        AddOutputs(start, *level, columns);
        return;
      } else {
        if (level->forward != nullptr) columns = GoForward(*level->forward, columns);
        current = ColumnsBinding(level->scope->owner, &level->request, columns);
        level = level->outer;
      }
    }
  }

 private:
  // `from`: where the path comes from, in case that a computed occurrence uses it; or null.
  Binding AddInstance(Occurrence* occurrence, const Binding* from) {
    Instance instance = {occurrence, occurrence->rte, 0, 0};
    Binding used;
    if (occurrence->kind == OccurrenceKind::kComputed && occurrence->uses != nullptr) {
      if (from != nullptr && bms_is_member(from->occurrence->id, occurrence->uses)) {
        used = *from;
      } else {
        used = AddInstance(UsedBy(occurrence), nullptr);
        route_->instances[used.instance - 1].serves = used.instance + 1;
      }
      instance.uses = used.instance;
      instance.rte = BindComputed(occurrence->rte, used);
    }
    route_->instances.Add(instance);
    route_->conditions.Add(NIL);
    Binding binding;
    binding.occurrence = occurrence;
    binding.instance = route_->instances.size();
    return binding;
  }

  // A computed occurrence uses one other, of its scope or one around.
  static Occurrence* UsedBy(const Occurrence* computed) {
    const int id = bms_singleton_member(computed->uses);
    for (const Scope* scope = computed->scope; scope != nullptr; scope = scope->parent) {
      for (Occurrence* member : scope->members) {
        if (member->id == id) return member;
      }
    }
    elog(ERROR, "lineage path lacks occurrence %d", id);
  }

  static RangeTblEntry* BindComputed(const RangeTblEntry* original, const Binding& used) {
    auto* rte = static_cast<RangeTblEntry*>(copyObjectImpl(original));
    rte->functions = reinterpret_cast<List*>(Bind(reinterpret_cast<Node*>(rte->functions), used));
    rte->values_lists =
        reinterpret_cast<List*>(Bind(reinterpret_cast<Node*>(rte->values_lists), used));
    rte->tablefunc =
        reinterpret_cast<TableFunc*>(Bind(reinterpret_cast<Node*>(rte->tablefunc), used));
    return rte;
  }

  // The instance of `next` that came into the path with the computed instance `from`, if so.
  Binding UsedInstance(const Binding& from, const Occurrence* next) const {
    Binding used;
    if (from.instance == 0) return used;
    const int instance = route_->instances[from.instance - 1].uses;
    if (instance != 0 && route_->instances[instance - 1].occurrence == next) {
      used.occurrence = next;
      used.instance = instance;
    }
    return used;
  }

  Binding Hop(const Binding& from, const MemberState& state) {
    Binding to = UsedInstance(from, state.next);
    if (to.instance == 0) to = AddInstance(state.next, &from);
    for (Expr* conjunct : state.conjuncts) {
      AddCondition(Bind(AsNode(conjunct), from, &to));
    }
    return to;
  }

  void AddCondition(Node* condition) {
    List** conditions = &route_->conditions[route_->conditions.size() - 1];
    *conditions = lappend(*conditions, condition);
  }

  Binding JoinMates(const Mates& mates, const PlainArray<Expr*>& columns) {
    Binding anchor = AddInstance(mates.anchor, nullptr);
    for (int i = 0; i < columns.size(); ++i) {
      AddCondition(NotDistinct(mates.equalities[i], AsNode(columns[i]),
                               Bind(AsNode(mates.columns[i]), anchor)));
    }
    return anchor;
  }

  static Binding ColumnsBinding(const Occurrence* occurrence, const ExitRequest* numbers,
                                const PlainArray<Expr*>& columns) {
    Binding binding;
    binding.occurrence = occurrence;
    binding.numbers = numbers;
    binding.columns = columns;
    return binding;
  }

  static PlainArray<Expr*> BindAll(const PlainArray<Expr*>& expressions, const Binding& binding) {
    PlainArray<Expr*> bound;
    for (Expr* expr : expressions) {
      bound.Add(reinterpret_cast<Expr*>(Bind(AsNode(expr), binding)));
    }
    return bound;
  }

  // The same, but null for what is null, or is made of a column that is.
  static PlainArray<Expr*> BindKnown(const PlainArray<Expr*>& expressions, const Binding& binding) {
    PlainArray<Expr*> bound;
    for (Expr* expr : expressions) {
      const bool is_known = expr != nullptr && IsKnown(AsNode(expr), binding);
      bound.Add(is_known ? reinterpret_cast<Expr*>(Bind(AsNode(expr), binding)) : nullptr);
    }
    return bound;
  }

  static bool UsesUnknown(Node* node, void* context) {
    if (node == nullptr) return false;
    if (!IsA(node, Var)) return WalkChildren(node, UsesUnknown, context);
    const auto* binding = static_cast<const Binding*>(context);
    const auto* var = reinterpret_cast<Var*>(node);
    if (static_cast<int>(var->varno) != binding->occurrence->id) return false;
    for (int i = 0; i < binding->columns.size(); ++i) {
      if (binding->numbers->columns[i].number == var->varattno) {
        return binding->columns[i] == nullptr;
      }
    }
    return true;
  }

  static bool IsKnown(Node* expr, const Binding& binding) {
    return binding.instance != 0 || !UsesUnknown(expr, const_cast<Binding*>(&binding));
  }

  // Of the columns of the key those that are known. What the path does not lead to the changed row
  // may know itself.
  void AddOutputs(const PathStart& start, const Level& top, const PlainArray<Expr*>& columns) {
    PlainArray<Expr*> known;
    for (int i = 0; i < columns.size(); ++i) {
      known.Add(columns[i] != nullptr ? columns[i] : OwnColumn(start, top, i));
    }
    for (int i = 0; i < known.size(); ++i) {
      if (known[i] == nullptr) continue;
      route_->outputs.Add(known[i]);
      route_->part.Add(static_cast<std::size_t>(i));
    }
    if (route_->outputs.empty()) route_->why_not = "no column of the key comes from one table";
    if (route_->outputs.size() == known.size()) route_->part.Truncate(0);
  }

  // Column `i` of the key as a column of the changed row that equals it, or null. Only where that
  // row is of the level that has the key, and nothing came between.
  Expr* OwnColumn(const PathStart& start, const Level& top, int i) const {
    if (start.level != &top || !route_->recursions.empty()) return nullptr;
    Expr* const expr = OutputOf(top.scope, top.request.columns[i].number);
    if (expr == nullptr || !IsA(expr, Var)) return nullptr;
    const Occurrence* const to =
        MemberWithId(top.scope, static_cast<int>(reinterpret_cast<Var*>(expr)->varno));
    if (to == nullptr) return nullptr;
    Expr* const column = LeadingColumn(*top.for_goal, expr, start.occurrence, to);
    if (column == nullptr) return nullptr;
    Binding binding;
    binding.occurrence = start.occurrence;
    binding.instance = 1;
    return reinterpret_cast<Expr*>(Bind(AsNode(column), binding));
  }

  // What a recursion with these columns is in FROM.
  static Instance NodeInstance(int number, const PlainArray<Expr*>& columns) {
    RangeTblEntry* rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_CTE;
    rte->ctename = psprintf("%s%d", kNodeName, number);
    rte->inFromCl = true;
    List* names = NIL;
    for (int i = 0; i < columns.size(); ++i) {
      Node* column = AsNode(columns[i]);
      names = lappend(names, makeString(psprintf("k%d", i + 1)));
      rte->coltypes = lappend_oid(rte->coltypes, exprType(column));
      rte->coltypmods = lappend_int(rte->coltypmods, exprTypmod(column));
      rte->colcollations = lappend_oid(rte->colcollations, exprCollation(column));
    }
    rte->eref = makeAlias(rte->ctename, names);
    return {nullptr, rte, 0, 0};
  }

  static PlainArray<Expr*> NodeColumns(const PlainArray<Expr*>& columns) {
    PlainArray<Expr*> vars;
    for (int i = 0; i < columns.size(); ++i) {
      Node* column = AsNode(columns[i]);
      vars.Add(reinterpret_cast<Expr*>(makeVar(1, static_cast<AttrNumber>(i + 1), exprType(column),
                                               exprTypmod(column), exprCollation(column), 0)));
    }
    return vars;
  }

  // Turns the route so far, with outputs `columns`, into the first rows of a recursion; the route
  // goes on from its rows. Returns the route of a step, which has only the recursion in it yet.
  Route* BeginRecursion(const PlainArray<Expr*>& columns) {
    auto* first = MakePlain<Route>();
    auto* step = MakePlain<Route>();
    first->instances = route_->instances;
    first->conditions = route_->conditions;
    first->outputs = columns;
    route_->recursions.Add({first, step});
    const Instance node = NodeInstance(route_->recursions.size(), columns);
    step->instances.Add(node);
    step->conditions.Add(NIL);
    route_->instances = PlainArray<Instance>();
    route_->instances.Add(node);
    route_->conditions = PlainArray<List*>();
    route_->conditions.Add(NIL);
    return step;
  }

  // From rows of a recursive CTE to all rows that follow from them. Returns their columns.
  PlainArray<Expr*> GoForward(const Recursion& recursion, const PlainArray<Expr*>& columns) {
    Walk step(BeginRecursion(columns));
    const PlainArray<Expr*> node = NodeColumns(columns);
    const Binding self = ColumnsBinding(recursion.self, &recursion.carried, node);
    const Binding next = step.AddInstance(recursion.step, nullptr);
    for (Expr* condition : recursion.conditions) {
      step.AddCondition(Bind(AsNode(condition), self, &next));
    }
    step.route_->outputs = BindAll(recursion.carried_in_step, next);
    return node;
  }

  // From rows of the recursion's step to the rows that it started from.
  Binding GoBack(const Recursion& recursion, const PlainArray<Expr*>& columns) {
    Walk step(BeginRecursion(columns));
    const Binding node = ColumnsBinding(recursion.step, &recursion.carried, NodeColumns(columns));
    const Binding previous = step.AddInstance(recursion.step, nullptr);
    const Binding start = AddInstance(recursion.start, nullptr);
    const Binding from_step = ColumnsBinding(recursion.self, &recursion.compared,
                                             BindAll(recursion.compared_in_step, previous));
    const Binding from_start = ColumnsBinding(recursion.self, &recursion.compared,
                                              BindAll(recursion.compared_in_start, start));
    for (Expr* condition : recursion.conditions) {
      step.AddCondition(Bind(AsNode(condition), node, &from_step));
      AddCondition(Bind(AsNode(condition), node, &from_start));
    }
    step.route_->outputs = BindAll(recursion.carried_in_step, previous);
    return start;
  }

  // left = right OR (left IS NULL AND right IS NULL): IS NOT DISTINCT FROM would look its operator
  // up by name.
  static Node* NotDistinct(Oid equality, Node* left, Node* right) {
    Expr* equal = make_opclause(equality, BOOLOID, false, reinterpret_cast<Expr*>(left),
                                reinterpret_cast<Expr*>(right), InvalidOid, exprCollation(right));
    set_opfuncid(reinterpret_cast<OpExpr*>(equal));
    List* nulls = NIL;
    for (Node* side : {left, right}) {
      NullTest* test = makeNode(NullTest);
      test->arg = static_cast<Expr*>(copyObjectImpl(side));
      test->nulltesttype = IS_NULL;
      test->location = -1;
      nulls = lappend(nulls, test);
    }
    return AsNode(makeBoolExpr(OR_EXPR, list_make2(equal, makeBoolExpr(AND_EXPR, nulls, -1)), -1));
  }

  Route* route_;
};

// Where the key is known already: a column of `instance` that equals it.
struct KeyColumn {
  Var* var;
  Node* as_written;  // possibly relabelled
};

// One column of the key.
class Shortening {
 public:
  Shortening(const Route* route, Node* output)
      : route_(route),
        output_(output),
        key_type_(exprType(output)),
        key_collation_(exprCollation(output)),
        family_(lookup_type_cache(key_type_, TYPECACHE_BTREE_OPFAMILY)->btree_opf) {}

  // How many instances are needed, and what the column is then.
  int end = 0;
  Node* as_written = nullptr;
  // The column of the changed row that is the key's, if it can be used as it is.
  Var* direct = nullptr;

  void Run() {
    as_written = output_;
    Node* key = StripRelabel(output_);
    if (IsA(key, Const)) return;
    end = route_->instances.size();
    if (!IsA(key, Var)) return;
    KeyColumn column = {reinterpret_cast<Var*>(key), output_};
    for (bool found = true; found;) {
      const int instance = column.var->varno;
      if (instance == 1 && route_->recursions.empty() && IsDirectType(column.var->vartype)) {
        direct = column.var;
      }
      if (exprType(column.as_written) == key_type_ && EndFor(instance) <= end) {
        end = EndFor(instance);
        as_written = column.as_written;
      }
      found = FindEqual(&column);
    }
  }

 private:
  bool IsDirectType(Oid type) const {
    return type == key_type_ || (IsInteger(type) && IsInteger(key_type_));
  }
  static bool IsInteger(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

  // The last instance that has to stay if the key is a column of `instance`.
  int EndFor(int instance) const {
    const int serves = route_->instances[instance - 1].serves;
    return serves > instance ? serves : instance;
  }

  // Replaces `column` by one of an earlier instance that equals it.
  bool FindEqual(KeyColumn* column) const {
    ListCell* cell;
    foreach (cell, route_->conditions[column->var->varno - 1]) {
      if (!IsA(lfirst(cell), OpExpr)) continue;
      auto* operation = static_cast<OpExpr*>(lfirst(cell));
      if (list_length(operation->args) != 2 || !IsKeyEquality(operation)) continue;
      Node* left = static_cast<Node*>(linitial(operation->args));
      Node* right = static_cast<Node*>(lsecond(operation->args));
      if (Matches(left, column, right) || Matches(right, column, left)) return true;
    }
    return false;
  }

  bool IsKeyEquality(const OpExpr* operation) const {
    return OidIsValid(family_) &&
           get_op_opfamily_strategy(operation->opno, family_) == BTEqualStrategyNumber &&
           CollationsAgree(operation->inputcollid, key_collation_);
  }

  static bool Matches(Node* side, KeyColumn* column, Node* other) {
    Node* var = StripRelabel(side);
    Node* next = StripRelabel(other);
    if (!IsA(var, Var) || !IsA(next, Var)) return false;
    if (reinterpret_cast<Var*>(var)->varno != column->var->varno ||
        reinterpret_cast<Var*>(var)->varattno != column->var->varattno ||
        reinterpret_cast<Var*>(next)->varno >= reinterpret_cast<Var*>(var)->varno) {
      return false;
    }
    column->var = reinterpret_cast<Var*>(next);
    column->as_written = other;
    return true;
  }

  const Route* route_;
  Node* output_;
  Oid key_type_;
  Oid key_collation_;
  Oid family_;
};

}  // namespace

void FollowPath(const PathStart& start, Route* route) { Walk(route).Run(start); }

void ShortenRoute(Route* route, PlainArray<Var*>* direct) {
  int end = 0;
  bool is_direct = true;
  for (int i = 0; i < route->outputs.size(); ++i) {
    Shortening column(route, AsNode(route->outputs[i]));
    column.Run();
    if (column.end > end) end = column.end;
    route->outputs[i] = reinterpret_cast<Expr*>(column.as_written);
    is_direct = is_direct && column.direct != nullptr;
    if (is_direct) direct->Add(column.direct);
  }
  if (!is_direct) direct->Truncate(0);
  route->instances.Truncate(end);
  route->conditions.Truncate(end);
  if (end == 0) route->recursions.Truncate(0);
}

}  // namespace tviews::backend::lineage
