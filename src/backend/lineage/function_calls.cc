#include "backend/lineage/function_calls.h"

#include <cstring>

#include "backend/lineage/session_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <access/tupdesc.h>
#include <catalog/pg_aggregate.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/execnodes.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <parser/parse_coerce.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

struct Visit {
  Node* call;  // null where none tells the types of the arguments
  RoleId caller;
  Expansion* expansion;

  Visit WithoutCall() const { return {nullptr, caller, expansion}; }
};

void NoteCalled(Oid function, Visit visit);

void NoteAggregate(Oid aggregate, Visit visit) {
  HeapTuple const tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
  if (!HeapTupleIsValid(tuple)) return;
  const auto* const form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
  for (const Oid function : {form->aggtransfn, form->aggfinalfn, form->aggcombinefn,
                             form->aggmtransfn, form->aggminvtransfn, form->aggmfinalfn}) {
    if (OidIsValid(function)) NoteCalled(function, visit.WithoutCall());
  }
  ReleaseSysCache(tuple);
}

void AddCalled(Oid function, Visit visit) {
  if (function < FirstNormalObjectId) return;
  for (const CalledFunction& known : visit.expansion->called) {
    if (known.function == function && known.caller == visit.caller) return;
  }
  visit.expansion->called.Add({function, visit.call, visit.caller});
  if (get_func_prokind(function) == PROKIND_AGGREGATE) NoteAggregate(function, visit);
}

void NoteCalled(Oid function, Visit visit) {
  if (function < FirstNormalObjectId) return;
  NoteFunction(function, visit.expansion);
  AddCalled(function, visit);
}

bool VisitFunction(Oid function, void* context) {
  NoteCalled(function, *static_cast<Visit*>(context));
  return false;
}

bool VisitExpression(Node* node, void* context) {
  if (node == nullptr) return false;
  const auto* const visit = static_cast<const Visit*>(context);
  NoteCalls(node, visit->caller, visit->expansion);
  return WalkChildren(node, VisitExpression, context);
}

// What a value has to fulfil may depend on more than the value.
void NoteDomain(Oid domain, Visit visit) {
  if (domain < FirstNormalObjectId || get_typtype(domain) != TYPTYPE_DOMAIN) return;
  auto* const constraints = MakePlain<DomainConstraintRef>();  // lives as long as the context
  InitDomainConstraintRef(domain, constraints, CurrentMemoryContext, false);
  ListCell* cell;
  foreach (cell, constraints->constraints) {
    auto* const constraint = static_cast<DomainConstraintState*>(lfirst(cell));
    VisitExpression(reinterpret_cast<Node*>(constraint->check_expr), &visit);
  }
}

// Functions that make JSON use a cast to json of the types of users that they meet.
void NoteJsonCast(Oid type, int depth, Visit visit) {
  constexpr int kDeepest = 4;
  if (depth > kDeepest) return;
  if (const Oid element = get_element_type(type); OidIsValid(element)) {
    return NoteJsonCast(element, depth + 1, visit);
  }
  Oid function = InvalidOid;
  if (type >= FirstNormalObjectId &&
      find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC) {
    return AddCalled(function, visit.WithoutCall());  // the TVIEW goes on without the cast
  }
  if (get_typtype(getBaseType(type)) != TYPTYPE_COMPOSITE) return;
  TupleDesc const descriptor = lookup_rowtype_tupdesc_copy(getBaseType(type), -1);
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (!attribute->attisdropped) NoteJsonCast(attribute->atttypid, depth + 1, visit);
  }
}

void NoteJsonCasts(Oid function, const List* arguments, Visit visit) {
  if (function >= FirstNormalObjectId) return;
  const char* const name = get_func_name(function);
  if (name == nullptr || strstr(name, "json") == nullptr) return;
  ListCell* cell;
  foreach (cell, arguments) {
    auto* node = static_cast<Node*>(lfirst(cell));
    if (IsA(node, TargetEntry)) node = reinterpret_cast<Node*>(castNode(TargetEntry, node)->expr);
    const Oid type = exprType(node);
    if (type != RECORDOID) NoteJsonCast(type, 0, visit);
  }
}

void NoteClauses(const List* clauses, Visit visit) {
  ListCell* cell;
  foreach (cell, clauses) {
    const auto* const clause = lfirst_node(SortGroupClause, cell);
    for (const Oid operation : {clause->eqop, clause->sortop}) {
      if (OidIsValid(operation)) NoteCalled(get_opcode(operation), visit);
    }
  }
}

}  // namespace

void NoteFunction(Oid32 function, Expansion* expansion) {
  for (const Oid known : expansion->functions) {
    if (known == function) return;
  }
  expansion->functions.Add(function);
}

void NoteCalls(Node* node, RoleId caller, Expansion* expansion) {
  Visit visit = {IsA(node, FuncExpr) || IsA(node, OpExpr) ? node : nullptr, caller, expansion};
  check_functions_in_node(node, VisitFunction, &visit);
  if (IsA(node, FuncExpr)) {
    const auto* const call = reinterpret_cast<FuncExpr*>(node);
    NoteJsonCasts(call->funcid, call->args, visit);
  } else if (IsA(node, Aggref)) {
    const auto* const call = reinterpret_cast<Aggref*>(node);
    NoteJsonCasts(call->aggfnoid, call->args, visit);
  } else if (IsA(node, WindowFunc)) {
    const auto* const call = reinterpret_cast<WindowFunc*>(node);
    NoteJsonCasts(call->winfnoid, call->args, visit);
  } else if (IsA(node, CoerceToDomain)) {
    NoteDomain(reinterpret_cast<CoerceToDomain*>(node)->resulttype, visit.WithoutCall());
  }
}

void NoteSortOperators(const Query* query, RoleId caller, Expansion* expansion) {
  const Visit visit = {nullptr, caller, expansion};
  NoteClauses(query->sortClause, visit);
  NoteClauses(query->groupClause, visit);
  NoteClauses(query->distinctClause, visit);
  ListCell* cell;
  foreach (cell, query->windowClause) {
    const auto* const window = lfirst_node(WindowClause, cell);
    NoteClauses(window->partitionClause, visit);
    NoteClauses(window->orderClause, visit);
  }
}

void AddDefaults(FuncExpr* call) {
  if (call->funcid < FirstNormalObjectId) return;
  RefuseSessionDefaults(call->funcid, list_length(call->args));
  HeapTuple const function = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
  if (!HeapTupleIsValid(function)) return;
  call->args = expand_function_arguments(call->args, false, call->funcresulttype, function);
  ReleaseSysCache(function);
}

}  // namespace tviews::backend::lineage
