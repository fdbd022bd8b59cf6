#include "backend/lineage/exits.h"

#include "backend/lineage/joins.h"
#include "backend/lineage/recursion.h"
#include "shared/pg/server/image_equality.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <optimizer/tlist.h>
#include <parser/parse_coerce.h>
#include <parser/parsetree.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {

const JoinItem* MergingJoin(const JoinItem* item, Node* left, Node* right) {
  if (item->leaf != nullptr) return nullptr;
  for (Expr* conjunct : item->conjuncts) {
    if (!item->is_full || !IsA(conjunct, OpExpr)) continue;
    auto* operation = reinterpret_cast<OpExpr*>(conjunct);
    if (list_length(operation->args) != 2 || !IsEqualityOperator(operation->opno)) continue;
    Node* first = static_cast<Node*>(linitial(operation->args));
    Node* second = static_cast<Node*>(lsecond(operation->args));
    if ((equal(first, left) && equal(second, right)) ||
        (equal(first, right) && equal(second, left))) {
      return operation->opno == EqualityOperatorOf(exprType(left)) ? item : nullptr;
    }
  }
  for (const JoinItem* child : item->children) {
    const JoinItem* found = MergingJoin(child, left, right);
    if (found != nullptr) return found;
  }
  return nullptr;
}

namespace {

Node* AsNode(Expr* expr) { return reinterpret_cast<Node*>(expr); }

// The expressions of GROUP BY, PARTITION BY or DISTINCT (a list of SortGroupClause).
MatesBlock ClauseOf(const Scope* scope, List* clauses, const char* name) {
  MatesBlock block;
  block.name = name;
  ListCell* cell;
  foreach (cell, clauses) {
    auto* clause = static_cast<SortGroupClause*>(lfirst(cell));
    TargetEntry* entry = get_sortgroupclause_tle(clause, scope->query->targetList);
    block.expressions.Add(
        reinterpret_cast<Expr*>(Globalize(scope, reinterpret_cast<Node*>(entry->expr))));
    block.equalities.Add(clause->eqop);
  }
  return block;
}

// LINEAGE F6: under an equality that is not image equality the use above must be the same one.
bool EqualityFits(Node* expr, Oid clause_equality, const ExitColumn& column) {
  if (pg::IsImageEqual(exprType(expr), exprCollation(expr))) return true;
  return OidIsValid(column.equality) &&
         equality_ops_are_compatible(column.equality, clause_equality) &&
         column.equality_collation == exprCollation(expr);
}

// Whether columns count that depend on the primary key of a block.
enum class Dependent { kIsUncovered, kIsCovered };

struct Coverage {
  const MatesBlock* block;
  const ExitColumn* column;
  const Expr* whole;
  Dependent dependent;
};

// WalkChildren stops at true: "not covered".
bool IsUncovered(Node* node, void* context) {
  if (node == nullptr) return false;
  const auto* coverage = static_cast<const Coverage*>(context);
  for (int i = 0; i < coverage->block->expressions.size(); ++i) {
    Node* clause = AsNode(coverage->block->expressions[i]);
    if (!equal(node, clause)) continue;
    ExitColumn column = *coverage->column;
    if (AsNode(const_cast<Expr*>(coverage->whole)) != node) column.equality = InvalidOid;
    return !EqualityFits(clause, coverage->block->equalities[i], column);
  }
  // GROUP BY: the parser lets a bare variable through only if it depends on a grouped primary key
  // of the same relation.
  if (IsA(node, Var)) return coverage->dependent == Dependent::kIsUncovered;
  return WalkChildren(node, IsUncovered, context);
}

bool IsCovered(Expr* expr, const MatesBlock& block, const ExitColumn& column, Dependent dependent) {
  Coverage coverage = {&block, &column, expr, dependent};
  return !IsUncovered(AsNode(expr), &coverage);
}

bool AreCovered(const PlainArray<Expr*>& expressions, const MatesBlock& block,
                const ExitRequest& request, Dependent dependent) {
  for (int i = 0; i < expressions.size(); ++i) {
    if (expressions[i] == nullptr) continue;
    if (!IsCovered(expressions[i], block, request.columns[i], dependent)) return false;
  }
  return true;
}

bool IsNullConstant(Node* node) {
  return node == nullptr || (IsA(node, Const) && reinterpret_cast<Const*>(node)->constisnull);
}

bool IsZeroConstant(Node* node) {
  return IsA(node, Const) && DatumGetInt64(reinterpret_cast<Const*>(node)->constvalue) == 0;
}

bool HasLimit(const Query* query) {
  return !IsNullConstant(query->limitCount) ||
         !(IsNullConstant(query->limitOffset) || IsZeroConstant(query->limitOffset));
}

// LINEAGE F1-F4, F6 for one plain SELECT.
void CheckBlocks(const Scope* scope, const ExitRequest& request,
                 const PlainArray<Expr*>& expressions, Exit* exit) {
  const Query* query = scope->query;
  if (HasLimit(query)) {
    exit->why_not = "rows are cut by LIMIT or OFFSET";
    return;
  }
  if (query->groupingSets != NIL) {
    exit->why_not = "rows are grouped by several grouping sets";
    return;
  }
  if (query->groupClause != NIL) {
    if (!AreCovered(expressions, ClauseOf(scope, query->groupClause, "GROUP BY"), request,
                    Dependent::kIsCovered)) {
      exit->why_not = "the column does not follow from GROUP BY";
      return;
    }
  } else if (query->hasAggs || query->havingQual != nullptr) {
    exit->why_not = "all rows are aggregated into one";
    return;
  }
  ListCell* cell;
  if (query->hasWindowFuncs) {
    foreach (cell, query->windowClause) {
      auto* window = static_cast<WindowClause*>(lfirst(cell));
      MatesBlock block = ClauseOf(scope, window->partitionClause, "PARTITION BY");
      if (!AreCovered(expressions, block, request, Dependent::kIsUncovered)) exit->mates.Add(block);
    }
  }
  if (query->distinctClause == NIL) return;
  MatesBlock distinct = ClauseOf(scope, query->distinctClause, "DISTINCT ON");
  if (AreCovered(expressions, distinct, request, Dependent::kIsUncovered)) return;
  if (query->hasDistinctOn) {
    exit->mates.Add(distinct);
  } else {
    exit->why_not = "DISTINCT unites values that the use above tells apart";
  }
}

constexpr char kSeveralTables[] = "the column is computed from several tables";

const char* WhyImpure(Node* expr) {
  if (contain_agg_clause(expr)) return "the column is an aggregate";
  if (contain_window_function(expr)) return "the column is a window function";
  if (expression_returns_set(expr)) return "the column is a set-returning function";
  if (contain_subplans(expr)) return "the column is a subquery";
  if (HasSpecialVars(expr)) return "the column is a whole row or a system column";
  if (NamesForeignOperator(expr)) return "the column compares by an operator that has no name";
  if (!DependsOnSettings(expr)) return nullptr;
  // What is no path under any settings is not the settings' fault.
  return bms_num_members(OccurrencesIn(expr)) > 1 ? kSeveralTables
                                                  : "the column depends on settings";
}

// LINEAGE C4: the leaves of a merged column.
bool AddMerged(const Scope* scope, Node* expr, PlainArray<Var*>* leaves) {
  if (expr == nullptr) return false;
  if (IsA(expr, Var)) {
    leaves->Add(reinterpret_cast<Var*>(expr));
    return true;
  }
  if (!IsA(expr, CoalesceExpr)) return false;
  List* arguments = reinterpret_cast<CoalesceExpr*>(expr)->args;
  if (list_length(arguments) != 2) return false;
  Node* left = static_cast<Node*>(linitial(arguments));
  Node* right = static_cast<Node*>(lsecond(arguments));
  return scope->joins != nullptr && MergingJoin(scope->joins, left, right) != nullptr &&
         AddMerged(scope, left, leaves) && AddMerged(scope, right, leaves);
}

// True if all expressions merge columns of the same members, which then are targets.
bool AddMergedTargets(const Scope* scope, const PlainArray<Expr*>& expressions, Exit* exit) {
  PlainArray<ExitTarget> targets;
  for (Expr* expr : expressions) {
    PlainArray<Var*> leaves;
    if (!AddMerged(scope, AsNode(expr), &leaves)) return false;
    if (targets.empty()) {
      for (int i = 0; i < leaves.size(); ++i) targets.Add(ExitTarget());
    }
    if (leaves.size() != targets.size()) return false;
    for (int i = 0; i < leaves.size(); ++i) {
      Occurrence* const member = MemberWithId(scope, leaves[i]->varno);
      if (member == nullptr) return false;
      if (targets[i].member == nullptr) targets[i].member = member;
      if (targets[i].member != member) return false;
      targets[i].expressions.Add(reinterpret_cast<Expr*>(leaves[i]));
    }
  }
  exit->targets = targets;
  return true;
}

void AddTarget(const Scope* scope, const ExitRequest& request, const PlainArray<Expr*>& expressions,
               int id, Exit* exit) {
  ExitTarget target;
  target.member = MemberWithId(scope, id);
  if (target.member == nullptr) {
    exit->why_not = "the column belongs to a query around";
    return;
  }
  target.expressions = expressions;
  bool is_nonnull = false;
  for (int i = 0; i < expressions.size(); ++i) {
    if (expressions[i] == nullptr) continue;
    if (request.columns[i].is_strict && IsStrictExpression(AsNode(expressions[i])) &&
        !bms_is_empty(OccurrencesIn(AsNode(expressions[i])))) {
      is_nonnull = true;
    }
  }
  if (!is_nonnull && bms_is_member(id, ReduceJoins(scope, nullptr)->nullable)) {
    exit->why_not = "the column can hide that its row is missing (outer join)";
    return;
  }
  if (is_nonnull) exit->nonnull = bms_add_member(exit->nonnull, id);
  exit->targets.Add(target);
}

// The occurrences of which a row is there wherever the columns are not NULL.
Bitmapset* NonnullIn(const ExitRequest& request, const PlainArray<Expr*>& expressions) {
  Bitmapset* nonnull = nullptr;
  for (int i = 0; i < expressions.size(); ++i) {
    if (expressions[i] == nullptr || !request.columns[i].is_strict) continue;
    Node* const expr = AsNode(expressions[i]);
    if (!IsStrictExpression(expr) || bms_num_members(OccurrencesIn(expr)) != 1) continue;
    nonnull = bms_add_members(nonnull, OccurrencesIn(expr));
  }
  return nonnull;
}

// A member whose columns are all of the expressions, or the same values by conditions that hold in
// every row (LINEAGE K).
bool AddCommonTarget(const Scope* scope, const ExitRequest& request,
                     const PlainArray<Expr*>& expressions, Exit* exit) {
  if (scope->joins == nullptr) return false;
  const ReducedJoins* joins = ReduceJoins(scope, NonnullIn(request, expressions));
  for (Occurrence* member : scope->members) {
    if (member->kind != OccurrenceKind::kRelation) continue;
    PlainArray<Expr*> columns;
    for (Expr* expr : expressions) {
      if (expr == nullptr) {
        columns.Add(nullptr);
        continue;
      }
      Bitmapset* const ids = OccurrencesIn(AsNode(expr));
      const bool is_own =
          bms_is_empty(ids) || (bms_num_members(ids) == 1 && bms_is_member(member->id, ids));
      Expr* const column = is_own ? expr : EqualColumn(*joins, expr, member);
      if (column == nullptr) break;
      columns.Add(column);
    }
    if (columns.size() != expressions.size()) continue;
    AddTarget(scope, request, columns, member->id, exit);
    return exit->why_not == nullptr;
  }
  return false;
}

// Each member by itself, with the columns that are its own.
void AddPartialTargets(const Scope* scope, const ExitRequest& request,
                       const PlainArray<Expr*>& expressions, Bitmapset* ids, Exit* exit) {
  for (int id = -1; (id = bms_next_member(ids, id)) >= 0;) {
    PlainArray<Expr*> own;
    bool any = false;
    for (Expr* expr : expressions) {
      Bitmapset* const uses = expr == nullptr ? nullptr : OccurrencesIn(AsNode(expr));
      const bool is_own = bms_num_members(uses) == 1 && bms_is_member(id, uses);
      any = any || is_own;
      own.Add(is_own ? expr : nullptr);
    }
    if (!any) continue;
    Exit trial = {};
    CheckBlocks(scope, request, own, &trial);
    if (trial.why_not != nullptr || !trial.mates.empty()) continue;
    trial.nonnull = exit->nonnull;
    trial.targets = exit->targets;
    AddTarget(scope, request, own, id, &trial);
    if (trial.why_not != nullptr) continue;
    exit->nonnull = trial.nonnull;
    exit->targets = trial.targets;
  }
  if (exit->targets.empty()) exit->why_not = "the columns come from several tables";
}

// The expressions of the columns; where parts are allowed, null for what does not come from rows.
const char* CollectExpressions(const Scope* scope, const ExitRequest& request, bool allows_parts,
                               PlainArray<Expr*>* expressions) {
  const char* why_not = nullptr;
  bool any = false;
  for (const ExitColumn& column : request.columns) {
    Expr* expr = OutputOf(scope, column.number);
    const char* const reason =
        expr == nullptr ? "the column is a whole row or a system column" : WhyImpure(AsNode(expr));
    if (reason != nullptr && why_not == nullptr) why_not = reason;
    if (reason != nullptr) expr = nullptr;
    any = any || (expr != nullptr && !bms_is_empty(OccurrencesIn(AsNode(expr))));
    expressions->Add(expr);
  }
  return allows_parts && any ? nullptr : why_not;
}

Exit* FindSelectExit(const Scope* scope, const ExitRequest& request, bool allows_parts) {
  auto* exit = MakePlain<Exit>();
  PlainArray<Expr*> expressions;
  exit->why_not = CollectExpressions(scope, request, allows_parts, &expressions);
  if (exit->why_not != nullptr) return exit;
  Bitmapset* ids = nullptr;
  for (Expr* expr : expressions) {
    if (expr != nullptr) ids = bms_add_members(ids, OccurrencesIn(AsNode(expr)));
  }
  if (bms_is_empty(ids)) {
    exit->is_constant = true;
    exit->constants = expressions;
    return exit;
  }
  Exit whole = {};
  CheckBlocks(scope, request, expressions, &whole);
  *exit = whole;
  if (exit->why_not == nullptr) {
    if (bms_num_members(ids) == 1) {
      AddTarget(scope, request, expressions, bms_singleton_member(ids), exit);
      return exit;
    }
    if (AddMergedTargets(scope, expressions, exit)) return exit;
    if (AddCommonTarget(scope, request, expressions, exit)) return exit;
    exit->why_not =
        expressions.size() == 1 ? kSeveralTables : "the columns come from several tables";
  }
  if (!allows_parts) return exit;
  *exit = Exit();
  AddPartialTargets(scope, request, expressions, ids, exit);
  if (exit->why_not != nullptr && whole.why_not != nullptr) exit->why_not = whole.why_not;
  return exit;
}

// Column `column` of a branch as the set operation returns it; null if that needs a cast that
// depends on settings.
Expr* BranchColumn(const Occurrence* branch, const SetOperationStmt* operation, int column) {
  auto* entry = static_cast<TargetEntry*>(list_nth(branch->child->query->targetList, column - 1));
  Node* expr = AsNode(entry->expr);
  Node* var =
      reinterpret_cast<Node*>(makeVar(branch->id, static_cast<AttrNumber>(column), exprType(expr),
                                      exprTypmod(expr), exprCollation(expr), 0));
  const Oid wanted = list_nth_oid(operation->colTypes, column - 1);
  if (exprType(expr) == wanted) return reinterpret_cast<Expr*>(var);
  Node* cast = coerce_to_target_type(nullptr, var, exprType(expr), wanted, -1, COERCION_IMPLICIT,
                                     COERCE_IMPLICIT_CAST, -1);
  if (cast == nullptr || DependsOnSettings(cast)) return nullptr;
  return reinterpret_cast<Expr*>(cast);
}

// LINEAGE F6 for UNION, INTERSECT and EXCEPT, which compare whole rows.
bool SetEqualityFits(Node* node, const ExitRequest& request) {
  if (!IsA(node, SetOperationStmt)) return true;
  auto* operation = reinterpret_cast<SetOperationStmt*>(node);
  if (operation->op != SETOP_UNION || !operation->all) {
    for (const ExitColumn& column : request.columns) {
      const Oid type = list_nth_oid(operation->colTypes, column.number - 1);
      const Oid collation = list_nth_oid(operation->colCollations, column.number - 1);
      if (pg::IsImageEqual(type, collation)) continue;
      if (!OidIsValid(column.equality) || column.equality_collation != collation ||
          !equality_ops_are_compatible(column.equality, EqualityOperatorOf(type))) {
        return false;
      }
    }
  }
  return SetEqualityFits(operation->larg, request) && SetEqualityFits(operation->rarg, request);
}

Exit* FindSetOperationExit(const Scope* scope, const ExitRequest& request) {
  auto* exit = MakePlain<Exit>();
  auto* operation = reinterpret_cast<SetOperationStmt*>(scope->query->setOperations);
  if (HasLimit(scope->query)) {
    exit->why_not = "rows are cut by LIMIT or OFFSET";
    return exit;
  }
  if (!SetEqualityFits(scope->query->setOperations, request)) {
    exit->why_not = "the set operation unites values that the use above tells apart";
    return exit;
  }
  for (Occurrence* branch : scope->members) {
    if (branch->kind != OccurrenceKind::kDerived) continue;
    ExitTarget target;
    target.member = branch;
    for (const ExitColumn& column : request.columns) {
      Expr* expr = column.number > 0 ? BranchColumn(branch, operation, column.number) : nullptr;
      if (expr == nullptr) {
        exit->why_not = "a branch's column must be cast in a way that depends on settings";
        return exit;
      }
      target.expressions.Add(expr);
    }
    exit->targets.Add(target);
  }
  return exit;
}

}  // namespace

Exit* FindExit(const Scope* scope, const ExitRequest& request, bool allows_parts) {
  if (request.columns.empty()) {
    auto* exit = MakePlain<Exit>();
    exit->is_constant = true;
    return exit;
  }
  return scope->query->setOperations == nullptr ? FindSelectExit(scope, request, allows_parts)
                                                : FindSetOperationExit(scope, request);
}

bool CanLeave(const Scope* scope, const ExitRequest& request) {
  const Exit* exit = FindExit(scope, request);
  if (exit->why_not != nullptr) return false;
  for (const ExitTarget& target : exit->targets) {
    if (target.member->kind == OccurrenceKind::kDerived &&
        !CanLeave(target.member->child, RequestOf(target.member, request, target.expressions))) {
      return false;
    }
    if (target.member->kind == OccurrenceKind::kOpaque &&
        (scope->recursions.empty() ||
         !CanLeaveRecursion(scope->recursions[0],
                            RequestOf(target.member, request, target.expressions)))) {
      return false;
    }
  }
  return true;
}

}  // namespace tviews::backend::lineage
