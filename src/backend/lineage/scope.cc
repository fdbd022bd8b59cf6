#include "backend/lineage/scope.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// Where a query stands: CTEs that are left in a query are recursive.
enum class Standing { kSubquery, kRecursion };

Scope* BuildScope(Tree* tree, Query* query, Scope* parent, Occurrence* owner, Standing standing);

Occurrence* AddOccurrence(Tree* tree, Scope* scope, OccurrenceKind kind) {
  auto* occurrence = MakePlain<Occurrence>();
  occurrence->kind = kind;
  occurrence->scope = scope;
  occurrence->position = scope->members.size();
  scope->members.Add(occurrence);
  tree->occurrences.Add(occurrence);
  occurrence->id = tree->occurrences.size();
  return occurrence;
}

const Scope* Around(const Scope* scope, Index levels) {
  for (Index i = 0; i < levels; ++i) scope = scope->parent;
  return scope;
}

Occurrence* Resolve(const Scope* scope, const Var* var) {
  return Around(scope, var->varlevelsup)->by_index[var->varno - 1];
}

Node* GlobalizeNode(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Var)) {
    Occurrence* occurrence =
        Resolve(static_cast<const Scope*>(context), reinterpret_cast<Var*>(node));
    if (occurrence == nullptr) elog(ERROR, "variable outside FROM");
    Var* var = static_cast<Var*>(copyObjectImpl(node));
    var->varno = occurrence->id;
    var->varlevelsup = 0;
    var->varnosyn = 0;
    var->varattnosyn = 0;
    var->location = -1;
#if PG_VERSION_NUM >= 160000
    var->varnullingrels = nullptr;
#endif
    return reinterpret_cast<Node*>(var);
  }
  if (IsA(node, Query)) return node;
  return MutateChildren(node, GlobalizeNode, context);
}

// A subquery can be read alone if nothing in it belongs to a query around it. Inside a recursion it
// may read the rows found so far.
bool CanStandAlone(const Scope* scope) {
  for (const Scope* outer = scope->parent; outer != nullptr; outer = outer->parent) {
    if (outer->is_recursion) return false;
  }
  for (int level = 1; level <= scope->depth; ++level) {
    if (contain_vars_of_level(reinterpret_cast<Node*>(scope->query), level)) return false;
  }
  return true;
}

void AddConjuncts(const Scope* scope, Node* condition, PlainArray<Expr*>* conjuncts) {
  if (condition == nullptr) return;
  ListCell* cell;
  if (IsA(condition, List)) {
    foreach (cell, reinterpret_cast<List*>(condition)) {
      AddConjuncts(scope, static_cast<Node*>(lfirst(cell)), conjuncts);
    }
  } else if (is_andclause(condition)) {
    AddConjuncts(scope, reinterpret_cast<Node*>(reinterpret_cast<BoolExpr*>(condition)->args),
                 conjuncts);
  } else {
    conjuncts->Add(reinterpret_cast<Expr*>(Globalize(scope, condition)));
  }
}

JoinItem* BuildJoinItem(const Scope* scope, Node* node) {
  auto* item = MakePlain<JoinItem>();
  if (IsA(node, RangeTblRef)) {
    item->leaf = scope->by_index[reinterpret_cast<RangeTblRef*>(node)->rtindex - 1];
    item->ids = bms_make_singleton(item->leaf->id);
    return item;
  }
  if (IsA(node, FromExpr)) {
    auto* from = reinterpret_cast<FromExpr*>(node);
    ListCell* cell;
    foreach (cell, from->fromlist) {
      item->children.Add(BuildJoinItem(scope, static_cast<Node*>(lfirst(cell))));
    }
    AddConjuncts(scope, from->quals, &item->conjuncts);
  } else {
    auto* join = reinterpret_cast<JoinExpr*>(node);
    const bool flip = join->jointype == JOIN_RIGHT;
    item->is_full = join->jointype == JOIN_FULL;
    item->is_left = join->jointype == JOIN_LEFT || flip;
    item->children.Add(BuildJoinItem(scope, flip ? join->rarg : join->larg));
    item->children.Add(BuildJoinItem(scope, flip ? join->larg : join->rarg));
    AddConjuncts(scope, join->quals, &item->conjuncts);
  }
  for (JoinItem* child : item->children) item->ids = bms_add_members(item->ids, child->ids);
  return item;
}

OccurrenceKind KindOf(const RangeTblEntry* rte) {
  switch (rte->rtekind) {
    case RTE_RELATION:
      return OccurrenceKind::kRelation;
    case RTE_SUBQUERY:
      return OccurrenceKind::kDerived;
    case RTE_FUNCTION:
    case RTE_VALUES:
    case RTE_TABLEFUNC:
      return OccurrenceKind::kComputed;
    default:
      return OccurrenceKind::kOpaque;
  }
}

// Makes the occurrences of `item`, an element of FROM or of a set operation.
void AddMembers(Tree* tree, Scope* scope, Node* item) {
  if (item == nullptr) return;
  ListCell* cell;
  if (IsA(item, RangeTblRef)) {
    const int index = reinterpret_cast<RangeTblRef*>(item)->rtindex;
    RangeTblEntry* rte = rt_fetch(index, scope->query->rtable);
    Occurrence* member = AddOccurrence(tree, scope, KindOf(rte));
    member->rte = rte;
    member->can_stand_alone = member->kind == OccurrenceKind::kRelation;
    scope->by_index[index - 1] = member;
  } else if (IsA(item, FromExpr)) {
    foreach (cell, reinterpret_cast<FromExpr*>(item)->fromlist) {
      AddMembers(tree, scope, static_cast<Node*>(lfirst(cell)));
    }
  } else if (IsA(item, JoinExpr)) {
    AddMembers(tree, scope, reinterpret_cast<JoinExpr*>(item)->larg);
    AddMembers(tree, scope, reinterpret_cast<JoinExpr*>(item)->rarg);
  } else if (IsA(item, SetOperationStmt)) {
    AddMembers(tree, scope, reinterpret_cast<SetOperationStmt*>(item)->larg);
    AddMembers(tree, scope, reinterpret_cast<SetOperationStmt*>(item)->rarg);
  }
}

// Puts a computed member's expressions into global form and notes what they use.
void PrepareComputed(Tree* tree, const Scope* scope, Occurrence* member) {
  auto* rte = static_cast<RangeTblEntry*>(copyObjectImpl(member->rte));
  rte->functions =
      reinterpret_cast<List*>(Globalize(scope, reinterpret_cast<Node*>(rte->functions)));
  rte->values_lists =
      reinterpret_cast<List*>(Globalize(scope, reinterpret_cast<Node*>(rte->values_lists)));
  rte->tablefunc =
      reinterpret_cast<TableFunc*>(Globalize(scope, reinterpret_cast<Node*>(rte->tablefunc)));
  Node* const parts[] = {reinterpret_cast<Node*>(rte->functions),
                         reinterpret_cast<Node*>(rte->values_lists),
                         reinterpret_cast<Node*>(rte->tablefunc)};
  member->rte = rte;
  member->can_stand_alone = true;
  for (Node* part : parts) {
    member->uses = bms_add_members(member->uses, OccurrencesIn(part));
    if (contain_subplans(part) || DependsOnSettings(part) || HasSpecialVars(part)) {
      member->can_stand_alone = false;
    }
  }
  if (bms_num_members(member->uses) > 1) member->can_stand_alone = false;
  for (int i = -1; (i = bms_next_member(member->uses, i)) >= 0;) {
    if (!tree->occurrences[i - 1]->can_stand_alone) member->can_stand_alone = false;
  }
}

struct LevelWalk {
  Tree* tree;
  Scope* scope;
};

void NoteRead(Tree* tree, Occurrence* occurrence, AttrNumber attribute) {
  const int column = attribute - FirstLowInvalidHeapAttributeNumber;
  occurrence->columns = bms_add_member(occurrence->columns, column);
  for (ReadColumns& reads : tree->reads) {
    if (reads.relation != occurrence->rte->relid) continue;
    reads.columns = bms_add_member(reads.columns, column);
    return;
  }
}

// The test of `sublink` as a condition on column 1 of `member`; null if there is none to use.
Node* ReplaceParameter(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  if (IsA(node, Param) && reinterpret_cast<Param*>(node)->paramkind == PARAM_SUBLINK) {
    auto* param = reinterpret_cast<Param*>(node);
    return reinterpret_cast<Node*>(makeVar(
        static_cast<const Occurrence*>(context)->id, static_cast<AttrNumber>(param->paramid),
        param->paramtype, param->paramtypmod, param->paramcollid, 0));
  }
  if (IsA(node, Query)) return node;
  return MutateChildren(node, ReplaceParameter, context);
}

bool IsConjunct(const JoinItem* item, const SubLink* sublink) {
  for (Expr* conjunct : item->conjuncts) {
    if (IsA(conjunct, SubLink) &&
        reinterpret_cast<SubLink*>(conjunct)->subselect == sublink->subselect) {
      return true;
    }
  }
  for (JoinItem* child : item->children) {
    if (IsConjunct(child, sublink)) return true;
  }
  return false;
}

// LINEAGE D4: a positive ANY in WHERE or ON needs one matching row; elsewhere, and for <> ALL, a
// row matters to the rows that it equals, provided that no NULL can come up.
void PrepareTest(const Scope* scope, SubLink* sublink, Occurrence* member) {
  if (sublink->subLinkType != ANY_SUBLINK && sublink->subLinkType != ALL_SUBLINK) return;
  if (sublink->testexpr == nullptr || !IsA(sublink->testexpr, OpExpr)) return;
  Node* test = ReplaceParameter(Globalize(scope, sublink->testexpr), member);
  auto* operation = reinterpret_cast<OpExpr*>(test);
  const bool is_any = sublink->subLinkType == ANY_SUBLINK;
  member->test_needs_not_null =
      !is_any || scope->joins == nullptr || !IsConjunct(scope->joins, sublink);
  if (!is_any) {
    operation->opno = get_negator(operation->opno);
    if (!OidIsValid(operation->opno)) return;
    operation->opfuncid = get_opcode(operation->opno);
  }
  if (member->test_needs_not_null && !IsEqualityOperator(operation->opno)) return;
  member->test = reinterpret_cast<Expr*>(operation);
}

bool VisitLevel(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* walk = static_cast<LevelWalk*>(context);
  if (IsA(node, Var)) {
    Occurrence* occurrence = Resolve(walk->scope, reinterpret_cast<Var*>(node));
    if (occurrence != nullptr && occurrence->kind == OccurrenceKind::kRelation) {
      NoteRead(walk->tree, occurrence, reinterpret_cast<Var*>(node)->varattno);
    }
    return false;
  }
  if (IsA(node, SubLink)) {
    auto* sublink = reinterpret_cast<SubLink*>(node);
    Occurrence* member = AddOccurrence(walk->tree, walk->scope, OccurrenceKind::kSublink);
    PrepareTest(walk->scope, sublink, member);
    member->child = BuildScope(walk->tree, reinterpret_cast<Query*>(sublink->subselect),
                               walk->scope, member, Standing::kSubquery);
    return VisitLevel(sublink->testexpr, context);
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, VisitLevel, context);
}

void NoteRelation(Tree* tree, RelationId relation) {
  for (ReadColumns& reads : tree->reads) {
    if (reads.relation == relation) return;
  }
  tree->reads.Add({relation, nullptr});
}

Scope* BuildScope(Tree* tree, Query* query, Scope* parent, Occurrence* owner, Standing standing) {
  check_stack_depth();
  auto* scope = MakePlain<Scope>();
  scope->query = query;
  scope->parent = parent;
  scope->owner = owner;
  scope->is_recursion = standing == Standing::kRecursion;
  scope->depth = parent == nullptr ? 0 : parent->depth + 1;
  for (int i = 0; i < list_length(query->rtable); ++i) scope->by_index.Add(nullptr);
  AddMembers(tree, scope,
             query->setOperations != nullptr ? query->setOperations
                                             : reinterpret_cast<Node*>(query->jointree));
  const int in_from = scope->members.size();
  for (int i = 0; i < in_from; ++i) {
    Occurrence* member = scope->members[i];
    if (member->kind == OccurrenceKind::kRelation) NoteRelation(tree, member->rte->relid);
    if (member->kind == OccurrenceKind::kComputed) PrepareComputed(tree, scope, member);
    if (member->kind == OccurrenceKind::kDerived) {
      member->child = BuildScope(tree, member->rte->subquery, scope, member, Standing::kSubquery);
      member->can_stand_alone = CanStandAlone(member->child);
    }
  }
  if (query->setOperations == nullptr) {
    scope->joins = BuildJoinItem(scope, reinterpret_cast<Node*>(query->jointree));
  }
  LevelWalk walk = {tree, scope};
  WalkLevel(query, VisitLevel, &walk);
  ListCell* cell;
  foreach (cell, query->cteList) {
    auto* cte = static_cast<CommonTableExpr*>(lfirst(cell));
    scope->recursions.Add(BuildScope(tree, reinterpret_cast<Query*>(cte->ctequery), scope,
                                     scope->members[0], Standing::kRecursion));
  }
  return scope;
}

}  // namespace

Tree* BuildTree(Query* query) {
  auto* tree = MakePlain<Tree>();
  tree->top = BuildScope(tree, query, nullptr, nullptr, Standing::kSubquery);
  return tree;
}

Node* Globalize(const Scope* scope, Node* node) {
  return GlobalizeNode(node, const_cast<Scope*>(scope));
}

}  // namespace tviews::backend::lineage
