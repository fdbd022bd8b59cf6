#include "backend/lineage_route.h"

#include "shared/pg/postgres_begin.h"
#include <access/stratnum.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
#include "shared/pg/postgres_end.h"

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

// A column of a subquery stood for by its expression keeps the collation that it had as a column.
Node* WithCollation(Node* expr, Oid collation) {
  if (!OidIsValid(collation) || exprCollation(expr) == collation) return expr;
  CollateExpr* collate = makeNode(CollateExpr);
  collate->arg = reinterpret_cast<Expr*>(expr);
  collate->collOid = collation;
  collate->location = -1;
  return reinterpret_cast<Node*>(collate);
}

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
      PlainArray<Expr*> columns;
      for (Expr* column : state.columns) {
        columns.Add(reinterpret_cast<Expr*>(Bind(AsNode(column), current)));
      }
      if (level->mates != nullptr) {
        current = JoinMates(*level->mates, columns);
        level = level->mates->rows;
      } else if (level->outer == nullptr) {
        route_->key = columns[0];
        return;
      } else {
        current = Binding();
        current.occurrence = level->scope->owner;
        current.numbers = &level->request;
        current.columns = columns;
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
      computed_use_ = used;
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

  Binding Hop(const Binding& from, const MemberState& state) {
    Binding to;
    if (state.is_lateral && from.instance != 0 &&
        route_->instances[from.instance - 1].occurrence->kind == OccurrenceKind::kComputed &&
        bms_is_member(state.next->id, from.occurrence->uses)) {
      // What a computed occurrence uses came into the path with it.
      to = computed_use_;
    } else {
      to = AddInstance(state.next, &from);
    }
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
  Binding computed_use_;  // of the latest computed instance
};

// Where the key is known already: a column of `instance` that equals it.
struct KeyColumn {
  Var* var;
  Node* as_written;  // possibly relabelled
};

class Shortening {
 public:
  Shortening(Route* route, Oid key_type, Oid key_collation)
      : route_(route), key_type_(key_type), key_collation_(key_collation) {
    family_ = lookup_type_cache(key_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  }

  // Cuts the route at the first instance with a column that equals the key; returns that column of
  // the changed row, if it can be used as it is.
  Var* Run() {
    Node* key = StripRelabel(AsNode(route_->key));
    if (IsA(key, Const)) {
      Cut(0, AsNode(route_->key));
      return nullptr;
    }
    if (!IsA(key, Var)) return nullptr;
    Var* direct = nullptr;
    KeyColumn column = {reinterpret_cast<Var*>(key), AsNode(route_->key)};
    int best = route_->instances.size();
    Node* best_key = AsNode(route_->key);
    for (bool found = true; found;) {
      const int instance = column.var->varno;
      if (instance == 1 && IsDirectType(column.var->vartype)) direct = column.var;
      if (exprType(column.as_written) == key_type_ && EndFor(instance) <= best) {
        best = EndFor(instance);
        best_key = column.as_written;
      }
      found = FindEqual(&column);
    }
    Cut(best, best_key);
    return direct;
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

  void Cut(int instances, Node* key) {
    route_->instances.Truncate(instances);
    route_->conditions.Truncate(instances);
    route_->key = reinterpret_cast<Expr*>(key);
  }

  Route* route_;
  Oid key_type_;
  Oid key_collation_;
  Oid family_;
};

}  // namespace

void FollowPath(const PathStart& start, Route* route) { Walk(route).Run(start); }

Var* ShortenRoute(Route* route) {
  Node* key = AsNode(route->key);
  return Shortening(route, exprType(key), exprCollation(key)).Run();
}

}  // namespace tviews::backend::lineage
