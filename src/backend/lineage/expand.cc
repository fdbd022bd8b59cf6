#include "backend/lineage/expand.h"

#include <cstring>

#include "backend/lineage/flatten_joins.h"
#include "backend/lineage/function_bodies.h"
#include "backend/lineage/function_calls.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <access/transam.h>
#include <catalog/pg_class.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <rewrite/rewriteHandler.h>
#include <rewrite/rewriteManip.h>
#include <utils/rel.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// A query and those around it.
struct Frame {
  Query* query;
  const Frame* outer;
  Oid origin;     // the view or the function whose query it is, or 0
  RoleId caller;  // whose rights functions that it calls have: a definer's, or 0 for the TVIEW's
  RoleId reader;  // the same of what it reads; 0 also within views, which have their owner's
  Expansion* expansion;

  Frame Inside(Query* inner) const { return {inner, this, InvalidOid, caller, reader, expansion}; }
  Frame OfView(Query* inner, Oid view) const {
    return {inner, this, view, caller, InvalidOid, expansion};
  }
  Frame OfFunction(Query* inner, Oid function) const {
    const RoleId role = ReaderOf(function, caller);
    return {inner, this, function, role, role, expansion};
  }
};

void Expand(const Frame& frame);

// Marks a query that WrapRecursive made; the server does not use the value.
constexpr QuerySource kWrapper = QSRC_PARSER;
bool IsWrapper(const Query* query) { return query->querySource == kWrapper; }

// Adjusts what a recursive CTE says of itself after its outer references moved by `shift`.
struct SelfReferences {
  const char* name;
  Index shift;
  Index depth;
};

bool RestoreSelfReferences(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* self = static_cast<SelfReferences*>(context);
  if (IsA(node, RangeTblEntry)) {
    auto* rte = reinterpret_cast<RangeTblEntry*>(node);
    if (rte->rtekind == RTE_CTE && rte->self_reference && strcmp(rte->ctename, self->name) == 0 &&
        rte->ctelevelsup == self->depth + self->shift) {
      rte->ctelevelsup = self->depth;
    }
    return false;
  }
  if (IsA(node, Query)) {
    self->depth++;
    WalkQuery(reinterpret_cast<Query*>(node), RestoreSelfReferences, context);
    self->depth--;
    return false;
  }
  return WalkChildren(node, RestoreSelfReferences, context);
}

// WITH RECURSIVE cte SELECT * FROM cte, to stand in place of `rte`.
Query* WrapRecursive(const CommonTableExpr* original, const RangeTblEntry* rte) {
  CommonTableExpr* cte = static_cast<CommonTableExpr*>(copyObjectImpl(original));
  SelfReferences self = {cte->ctename, rte->ctelevelsup + 1, 0};
  IncrementVarSublevelsUp(cte->ctequery, static_cast<int>(self.shift), 1);
  RestoreSelfReferences(cte->ctequery, &self);

  RangeTblEntry* inner = makeNode(RangeTblEntry);
  inner->rtekind = RTE_CTE;
  inner->ctename = cte->ctename;
  inner->coltypes = static_cast<List*>(copyObjectImpl(rte->coltypes));
  inner->coltypmods = static_cast<List*>(copyObjectImpl(rte->coltypmods));
  inner->colcollations = static_cast<List*>(copyObjectImpl(rte->colcollations));
  inner->eref = makeAlias(cte->ctename, static_cast<List*>(copyObjectImpl(rte->eref->colnames)));
  inner->inFromCl = true;

  RangeTblRef* reference = makeNode(RangeTblRef);
  reference->rtindex = 1;
  Query* query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->canSetTag = true;
  query->hasRecursive = true;
  query->querySource = kWrapper;
  query->cteList = list_make1(cte);
  query->rtable = list_make1(inner);
  query->jointree = makeFromExpr(list_make1(reference), nullptr);
  for (int i = 0; i < list_length(inner->coltypes); ++i) {
    const auto attribute = static_cast<AttrNumber>(i + 1);
    Var* var =
        makeVar(1, attribute, list_nth_oid(inner->coltypes, i), list_nth_int(inner->coltypmods, i),
                list_nth_oid(inner->colcollations, i), 0);
    query->targetList =
        lappend(query->targetList,
                makeTargetEntry(reinterpret_cast<Expr*>(var), attribute,
                                pstrdup(strVal(list_nth(inner->eref->colnames, i))), false));
  }
  return query;
}

void BecomeSubquery(RangeTblEntry* rte, Query* query) {
  rte->rtekind = RTE_SUBQUERY;
  rte->subquery = query;
  rte->alias =
      makeAlias(rte->eref->aliasname, static_cast<List*>(copyObjectImpl(rte->eref->colnames)));
  rte->security_barrier = false;
  rte->relid = InvalidOid;
  rte->relkind = 0;
  rte->inh = false;
  rte->ctename = nullptr;
  rte->ctelevelsup = 0;
  rte->coltypes = rte->coltypmods = rte->colcollations = NIL;
}

// The CTE that `rte` names, and whether the reference is its own from inside.
const CommonTableExpr* FindCte(const Frame& frame, const RangeTblEntry* rte) {
  const Frame* holder = &frame;
  for (Index i = 0; i < rte->ctelevelsup; ++i) holder = holder->outer;
  ListCell* cell;
  foreach (cell, holder->query->cteList) {
    auto* cte = static_cast<CommonTableExpr*>(lfirst(cell));
    if (strcmp(cte->ctename, rte->ctename) == 0) return cte;
  }
  elog(ERROR, "could not find WITH query \"%s\"", rte->ctename);
}

void ExpandCte(const Frame& frame, RangeTblEntry* rte) {
  if (rte->self_reference) return;
  const CommonTableExpr* cte = FindCte(frame, rte);
  if (cte->cterecursive) {
    // The wrapper's own reference stays.
    if (rte->ctelevelsup == 0 && IsWrapper(frame.query)) return;
    BecomeSubquery(rte, WrapRecursive(cte, rte));
    return;
  }
  Query* query = static_cast<Query*>(copyObjectImpl(cte->ctequery));
  IncrementVarSublevelsUp(reinterpret_cast<Node*>(query), static_cast<int>(rte->ctelevelsup), 1);
  BecomeSubquery(rte, query);
}

// True if `rte` was a view.
bool ExpandView(const Frame& frame, RangeTblEntry* rte) {
  if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_VIEW) return false;
  for (const Frame* outer = &frame; outer != nullptr; outer = outer->outer) {
    if (outer->origin == rte->relid) {
      ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                      errmsg("view \"%s\" reads itself", rte->eref->aliasname)));
    }
  }
  bool known = false;
  for (RelationId view : frame.expansion->views) known = known || view == rte->relid;
  if (!known) frame.expansion->views.Add(rte->relid);
  Relation relation = table_open(rte->relid, AccessShareLock);
  if (relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a TVIEW cannot read the temporary view \"%s\"",
                           RelationGetRelationName(relation)),
                    errhint("Create the view in an ordinary schema.")));
  }
  Query* query = static_cast<Query*>(copyObjectImpl(get_view_query(relation)));
  table_close(relation, NoLock);
  BecomeSubquery(rte, query);
  return true;
}

// True where the body of `function` is being expanded: it calls itself.
bool IsInside(const Frame* frame, Oid function) {
  for (; frame != nullptr; frame = frame->outer) {
    if (frame->origin == function) return true;
  }
  return false;
}

// A body that calls functions whose bodies call functions, each several times, has no end that
// anybody would wait for.
constexpr int kMostInlined = 200;

bool MayInline(const Frame& frame, Oid function) {
  return frame.expansion->inlined < kMostInlined && !IsInside(&frame, function);
}

bool CallsUsers(Node* node, void* context) {
  if (node == nullptr || IsA(node, Query)) return false;
  if (IsA(node, FuncExpr)) {
    if (reinterpret_cast<FuncExpr*>(node)->funcid >= FirstNormalObjectId) return true;
  }
  return WalkChildren(node, CallsUsers, context);
}

// Puts the bodies of functions in the place of their calls, not yet expanded.
Node* InlineCalls(Node* node, void* context) {
  if (node == nullptr || IsA(node, Query)) return node;
  node = MutateChildren(node, InlineCalls, context);
  if (!IsA(node, FuncExpr)) return node;
  const auto* const frame = static_cast<const Frame*>(context);
  auto* const call = reinterpret_cast<FuncExpr*>(node);
  AddDefaults(call);
  if (!MayInline(*frame, call->funcid)) return node;
  SubLink* const sublink = SublinkFor(call);
  if (sublink == nullptr) return node;
  ++frame->expansion->inlined;
  NoteFunction(call->funcid, frame->expansion);
  frame->query->hasSubLinks = true;
  return reinterpret_cast<Node*>(sublink);
}

bool ExpandSublinks(Node* node, void* context) {
  if (node == nullptr) return false;
  const auto* const frame = static_cast<const Frame*>(context);
  if (IsA(node, SubLink)) {
    auto* sublink = reinterpret_cast<SubLink*>(node);
    auto* const query = reinterpret_cast<Query*>(sublink->subselect);
    const Oid function = FunctionOf(sublink);
    Expand(OidIsValid(function) ? frame->OfFunction(query, function) : frame->Inside(query));
    return ExpandSublinks(sublink->testexpr, context);
  }
  NoteCalls(node, frame->caller, frame->expansion);
  return WalkChildren(node, ExpandSublinks, context);
}

// A function in FROM that returns rows: true if its body has taken its place.
bool ExpandFunction(const Frame& frame, RangeTblEntry* rte) {
  if (rte->rtekind != RTE_FUNCTION) return false;
  const auto* const item = linitial_node(RangeTblFunction, rte->functions);
  if (!IsA(item->funcexpr, FuncExpr)) return false;
  auto* const call = reinterpret_cast<FuncExpr*>(item->funcexpr);
  if (!MayInline(frame, call->funcid)) return false;
  AddDefaults(call);
  Query* const query = SubqueryFor(rte);
  if (query == nullptr) return false;
  ++frame.expansion->inlined;
  NoteFunction(call->funcid, frame.expansion);
  BecomeSubquery(rte, query);
  rte->lateral = true;
  rte->functions = NIL;
  Expand(frame.OfFunction(query, call->funcid));
  return true;
}

// Positions in the range table that FROM or the set operations use: a view's own tree has two
// entries more.
Bitmapset* LivePositions(Node* item, Bitmapset* live) {
  if (item == nullptr) return live;
  ListCell* cell;
  if (IsA(item, RangeTblRef)) {
    return bms_add_member(live, reinterpret_cast<RangeTblRef*>(item)->rtindex);
  }
  if (IsA(item, FromExpr)) {
    foreach (cell, reinterpret_cast<FromExpr*>(item)->fromlist) {
      live = LivePositions(static_cast<Node*>(lfirst(cell)), live);
    }
  } else if (IsA(item, JoinExpr)) {
    live = LivePositions(reinterpret_cast<JoinExpr*>(item)->larg, live);
    live = LivePositions(reinterpret_cast<JoinExpr*>(item)->rarg, live);
  } else if (IsA(item, SetOperationStmt)) {
    live = LivePositions(reinterpret_cast<SetOperationStmt*>(item)->larg, live);
    live = LivePositions(reinterpret_cast<SetOperationStmt*>(item)->rarg, live);
  }
  return live;
}

void Expand(const Frame& frame) {
  check_stack_depth();
  Query* query = frame.query;
  pg::compat::FlattenGroupedColumns(query);
  FlattenJoins(query);
  Bitmapset* live = LivePositions(reinterpret_cast<Node*>(query->jointree), nullptr);
  live = LivePositions(query->setOperations, live);
  for (int i = -1; (i = bms_next_member(live, i)) >= 0;) {
    RangeTblEntry* rte = rt_fetch(i, query->rtable);
    const Oid view = rte->rtekind == RTE_RELATION ? rte->relid : InvalidOid;
    const bool was_view = ExpandView(frame, rte);
    if (rte->rtekind == RTE_CTE) ExpandCte(frame, rte);
    if (ExpandFunction(frame, rte)) continue;
    if (rte->rtekind == RTE_RELATION && OidIsValid(frame.reader)) {
      RefuseRowSecurity(rte->relid, frame.reader);
    }
    if (rte->rtekind == RTE_SUBQUERY) {
      Expand(was_view ? frame.OfView(rte->subquery, view) : frame.Inside(rte->subquery));
    }
  }
  if (WalkLevel(query, CallsUsers, nullptr)) {
    MutateLevel(query, InlineCalls, const_cast<Frame*>(&frame));
  }
  WalkLevel(query, ExpandSublinks, const_cast<Frame*>(&frame));
  NoteSortOperators(query, frame.caller, frame.expansion);
  if (IsWrapper(query)) {
    auto* cte = static_cast<CommonTableExpr*>(linitial(query->cteList));
    Expand(frame.Inside(reinterpret_cast<Query*>(cte->ctequery)));
    query->querySource = QSRC_ORIGINAL;
  } else {
    query->cteList = NIL;  // every reference has its own copy
    query->hasRecursive = false;
  }
}

}  // namespace

namespace {

// Functions whose bodies stand beside the query. Reading one may bring up others.
void ReadBodies(Expansion* expansion) {
  for (int i = 0; i < expansion->called.size(); ++i) {
    const CalledFunction called = expansion->called[i];
    const Frame outside = {nullptr, nullptr, InvalidOid, called.caller, called.caller, expansion};
    ListCell* cell;
    foreach (cell, QueriesOf(called, expansion)) {
      Frame frame = outside.OfFunction(lfirst_node(Query, cell), called.function);
      frame.outer = nullptr;
      Expand(frame);
      expansion->bodies.Add({called.function, frame.query});
    }
  }
}

Frame Top(Query* query, Expansion* expansion) {
  return {query, nullptr, InvalidOid, InvalidOid, InvalidOid, expansion};
}

}  // namespace

void ExpandViewBody(Query* query, Expansion* expansion) {
  Expand(Top(query, expansion));
  expansion->bodies.Add({InvalidOid, query});
}

Query* ExpandQuery(const Query* query, Expansion* expansion) {
  Query* copy = static_cast<Query*>(copyObjectImpl(query));
  Expand(Top(copy, expansion));
  ReadBodies(expansion);
  return copy;
}

}  // namespace tviews::backend::lineage
