#include "backend/lineage/function_bodies.h"

#include <cstring>

#include "backend/lineage/session_functions.h"
#include "shared/pg/boundary/user_scope.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <catalog/dependency.h>
#include <catalog/pg_language.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <executor/functions.h>
#include <funcapi.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/analyze.h>
#include <parser/parse_coerce.h>
#include <parser/parser.h>
#include <rewrite/rewriteManip.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/guc.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/rls.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

Form_pg_proc FormOf(HeapTuple function) {
  return reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
}

Datum AttributeOf(HeapTuple function, AttrNumber attribute, bool* is_null) {
  return SysCacheGetAttr(PROCOID, function, attribute, is_null);
}

// An error in a body says whose it is.
struct BodyText {
  const char* name;
  const char* text;
};

void AddContext(void* argument) {
  const auto* const body = static_cast<const BodyText*>(argument);
  if (const int position = geterrposition(); position > 0) {
    errposition(0);
    internalerrposition(position);
    internalerrquery(body->text);
  }
  if (geterrcode() == ERRCODE_UNDEFINED_TABLE || geterrcode() == ERRCODE_UNDEFINED_FUNCTION) {
    errhint(
        "A refresh does not use the search_path of your session. Qualify the names in the "
        "function, or ALTER FUNCTION ... SET search_path.");
  }
  errcontext("function %s, which the TVIEW calls", body->name);
}

// Its queries as text, analysed; null if something else than SELECT is among them.
List* AnalyzeText(HeapTuple function, Node* call) {
  bool is_null = false;
  const Datum source = AttributeOf(function, Anum_pg_proc_prosrc, &is_null);
  if (is_null) return nullptr;
  if (pg::UserScope::IsSessionPreparedAgainst(GetUserId())) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot read the body of function %s in this session",
                           format_procedure(FormOf(function)->oid)),
                    errdetail("A TVIEW of another role calls it, and what it says could find the "
                              "temporary objects of this session."),
                    errhint("Give the command in a session without temporary objects.")));
  }
  char* const body_text = TextDatumGetCString(source);
  BodyText body = {format_procedure(FormOf(function)->oid), body_text};
  ErrorContextCallback callback = {error_context_stack, AddContext, &body};
  error_context_stack = &callback;
  const Oid collation = call == nullptr ? InvalidOid : exprInputCollation(call);
  SQLFunctionParseInfoPtr const info = prepare_sql_fn_parse_info(function, call, collation);
  List* queries = NIL;
  ListCell* cell;
  foreach (cell, raw_parser(body_text, RAW_PARSE_DEFAULT)) {
    queries = lappend(queries,
                      parse_analyze_withcb(lfirst_node(RawStmt, cell), body_text,
                                           reinterpret_cast<ParserSetupHook>(
                                               reinterpret_cast<void (*)()>(sql_fn_parser_setup)),
                                           info, nullptr));
  }
  error_context_stack = callback.previous;
  return queries;
}

// As fmgr_security_definer does it for a call. On an error the scope around puts all back.
List* AnalyzeAsCalled(HeapTuple function, Node* call) {
  bool has_none = false;
  const Datum settings = AttributeOf(function, Anum_pg_proc_proconfig, &has_none);
  const bool is_definer = FormOf(function)->prosecdef;
  if (has_none && !is_definer) return AnalyzeText(function, call);
  const int level = NewGUCNestLevel();
  Oid user = InvalidOid;
  int context = 0;
  GetUserIdAndSecContext(&user, &context);
  if (is_definer) {
    SetUserIdAndSecContext(FormOf(function)->proowner, context | SECURITY_LOCAL_USERID_CHANGE);
  }
  if (!has_none) {
    ProcessGUCArray(DatumGetArrayTypeP(settings), superuser() ? PGC_SUSET : PGC_USERSET,
                    PGC_S_SESSION, GUC_ACTION_SAVE);
  }
  List* const queries = AnalyzeText(function, call);
  AtEOXact_GUC(true, level);
  SetUserIdAndSecContext(user, context);
  return queries;
}

// All queries of the function, copies; NIL if there is none, or one that is no SELECT.
List* ReadBody(HeapTuple function, Node* call) {
  bool is_null = false;
  const Datum analysed = AttributeOf(function, Anum_pg_proc_prosqlbody, &is_null);
  List* queries = NIL;
  if (is_null) {
    queries = AnalyzeAsCalled(function, call);
  } else {
    auto* const node = static_cast<Node*>(stringToNode(TextDatumGetCString(analysed)));
    queries = IsA(node, List) ? linitial_node(List, castNode(List, node)) : list_make1(node);
  }
  ListCell* cell;
  foreach (cell, queries) {
    if (lfirst_node(Query, cell)->commandType != CMD_SELECT) return NIL;
  }
  return queries;
}

bool IsStableSql(HeapTuple function) {
  return FormOf(function)->prolang == SQLlanguageId &&
         FormOf(function)->provolatile == PROVOLATILE_STABLE &&
         FormOf(function)->prokind == PROKIND_FUNCTION;
}

// Settings change what a body means, except where it looks for names.
bool HasOtherSettings(HeapTuple function) {
  bool has_none = false;
  const Datum settings = AttributeOf(function, Anum_pg_proc_proconfig, &has_none);
  if (has_none) return false;
  Datum* items = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT, &items, nullptr,
                    &count);
  for (int i = 0; i < count; ++i) {
    if (strncmp(TextDatumGetCString(items[i]), "search_path=", 12) != 0) return true;
  }
  return false;
}

// An argument that belongs to its place in the query.
bool IsBound(Node* arguments) {
  return contain_window_function(arguments) || contain_agg_clause(arguments) ||
         expression_returns_set(arguments);
}

// The only query of the function, if it can stand where `call` is.
Query* OnlyQuery(HeapTuple function, const FuncExpr* call) {
  if (!IsStableSql(function) || FormOf(function)->prorettype == VOIDOID ||
      FormOf(function)->proretset != call->funcretset || call->funcvariadic ||
      list_length(call->args) != FormOf(function)->pronargs || HasOtherSettings(function) ||
      IsBound(reinterpret_cast<Node*>(call->args))) {
    return nullptr;
  }
  RefuseSessionFunction(call->funcid);
  auto* const node = reinterpret_cast<Node*>(const_cast<FuncExpr*>(call));
  List* const queries = ReadBody(function, node);
  if (list_length(queries) != 1) return nullptr;
  auto* const query = linitial_node(Query, queries);
  return query->hasModifyingCTE ? nullptr : query;
}

struct Arguments {
  const List* values;
  int depth;  // of queries around the parameter
};

Node* BindParameter(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  auto* const arguments = static_cast<Arguments*>(context);
  if (IsA(node, Param)) {
    const auto* const parameter = reinterpret_cast<Param*>(node);
    if (parameter->paramkind != PARAM_EXTERN) return static_cast<Node*>(copyObjectImpl(node));
    Node* const value =
        static_cast<Node*>(copyObjectImpl(list_nth(arguments->values, parameter->paramid - 1)));
    IncrementVarSublevelsUp(value, arguments->depth, 0);
    return value;
  }
  if (IsA(node, Query)) {
    ++arguments->depth;
    Query* const bound = query_tree_mutator(
        reinterpret_cast<Query*>(node), pg::compat::MutatorForServer(BindParameter), context, 0);
    bound->hasSubLinks |=
        checkExprHasSubLink(reinterpret_cast<Node*>(const_cast<List*>(arguments->values)));
    --arguments->depth;
    return reinterpret_cast<Node*>(bound);
  }
  return MutateChildren(node, BindParameter, context);
}

Query* BindArguments(Query* body, const FuncExpr* call) {
  Arguments arguments = {call->args, 0};
  return reinterpret_cast<Query*>(BindParameter(reinterpret_cast<Node*>(body), &arguments));
}

List* OutputsOf(const Query* query) {
  List* outputs = NIL;
  ListCell* cell;
  foreach (cell, query->targetList) {
    auto* const entry = lfirst_node(TargetEntry, cell);
    if (!entry->resjunk) outputs = lappend(outputs, entry);
  }
  return outputs;
}

// SELECT FROM body, without columns yet.
Query* Around(Query* body) {
  List* names = NIL;
  ListCell* cell;
  foreach (cell, OutputsOf(body)) {
    const char* const name = static_cast<TargetEntry*>(lfirst(cell))->resname;
    names = lappend(names, makeString(pstrdup(name == nullptr ? "?column?" : name)));
  }
  RangeTblEntry* const rte = makeNode(RangeTblEntry);
  rte->rtekind = RTE_SUBQUERY;
  rte->subquery = body;
  rte->alias = makeAlias("body", names);
  rte->eref = static_cast<Alias*>(copyObjectImpl(rte->alias));
  rte->lateral = true;
  rte->inFromCl = true;
  RangeTblRef* const reference = makeNode(RangeTblRef);
  reference->rtindex = 1;
  Query* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->canSetTag = true;
  query->rtable = list_make1(rte);
  query->jointree = makeFromExpr(list_make1(reference), nullptr);
  return query;
}

Node* ColumnOf(const TargetEntry* output, int number) {
  Node* const expr = reinterpret_cast<Node*>(output->expr);
  return reinterpret_cast<Node*>(makeVar(1, static_cast<AttrNumber>(number), exprType(expr),
                                         exprTypmod(expr), exprCollation(expr), 0));
}

// Of `type`; null if there is no such cast.
Node* CastTo(Node* expr, Oid type) {
  if (exprType(expr) == type) return expr;
  return coerce_to_target_type(nullptr, expr, exprType(expr), type, -1, COERCION_ASSIGNMENT,
                               COERCE_IMPLICIT_CAST, -1);
}

void AddOutput(Node* expr, Query* query) {
  const int number = list_length(query->targetList) + 1;
  query->targetList = lappend(query->targetList, makeTargetEntry(reinterpret_cast<Expr*>(expr),
                                                                 static_cast<AttrNumber>(number),
                                                                 psprintf("c%d", number), false));
}

// `body` with the one column that the function returns; null if it does not fit.
Query* AsValue(Query* body, Oid type) {
  List* const outputs = OutputsOf(body);
  const auto* const first = outputs == NIL ? nullptr : linitial_node(TargetEntry, outputs);
  if (list_length(outputs) == 1 && exprType(reinterpret_cast<Node*>(first->expr)) == type &&
      body->setOperations == nullptr) {
    return body;
  }
  Query* const query = Around(body);
  if (list_length(outputs) == 1) {
    Node* const value = CastTo(ColumnOf(first, 1), type);
    if (value == nullptr) return nullptr;
    AddOutput(value, query);
    return query;
  }
  RowExpr* const row = makeNode(RowExpr);
  for (int i = 0; i < list_length(outputs); ++i) {
    row->args = lappend(row->args, ColumnOf(list_nth_node(TargetEntry, outputs, i), i + 1));
    row->colnames = lappend(row->colnames, makeString(psprintf("f%d", i + 1)));
  }
  row->row_typeid = type;
  row->row_format = COERCE_IMPLICIT_CAST;
  row->location = -1;
  AddOutput(reinterpret_cast<Node*>(row), query);
  return query;
}

// The types of the columns of a function in FROM; NIL if one was dropped.
List* ColumnTypes(const RangeTblFunction* item) {
  if (item->funccolnames != NIL) return item->funccoltypes;
  Oid type = InvalidOid;
  TupleDesc descriptor = nullptr;
  get_expr_result_type(item->funcexpr, &type, &descriptor);
  if (descriptor == nullptr) return list_make1_oid(exprType(item->funcexpr));
  List* types = NIL;
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (attribute->attisdropped) return NIL;
    types = lappend_oid(types, attribute->atttypid);
  }
  return types;
}

// A STRICT function returns no rows where an argument is NULL.
void AddStrictness(const FuncExpr* call, Query* query) {
  List* conditions = NIL;
  for (int i = 0; i < list_length(call->args); ++i) {
    NullTest* const test = makeNode(NullTest);
    test->arg = static_cast<Expr*>(copyObjectImpl(list_nth(call->args, i)));
    IncrementVarSublevelsUp(reinterpret_cast<Node*>(test->arg), 1, 0);
    test->nulltesttype = IS_NOT_NULL;
    test->location = -1;
    conditions = lappend(conditions, test);
  }
  query->jointree->quals = reinterpret_cast<Node*>(make_ands_explicit(conditions));
  query->hasSubLinks = checkExprHasSubLink(query->jointree->quals);
}

// `body`, whose parameters are not bound yet, with columns of these types; null if it does not fit.
Query* AsRows(Query* body, const List* types, const FuncExpr* call, bool is_strict) {
  List* const outputs = OutputsOf(body);
  if (list_length(outputs) != list_length(types)) return nullptr;
  bool fits = !is_strict;
  for (int i = 0; i < list_length(types); ++i) {
    auto* const expr = reinterpret_cast<Node*>(list_nth_node(TargetEntry, outputs, i)->expr);
    fits = fits && exprType(expr) == list_nth_oid(types, i);
  }
  if (fits) return BindArguments(body, call);
  Query* const query = Around(body);
  for (int i = 0; i < list_length(types); ++i) {
    Node* const value =
        CastTo(ColumnOf(list_nth_node(TargetEntry, outputs, i), i + 1), list_nth_oid(types, i));
    if (value == nullptr) return nullptr;
    AddOutput(value, query);
  }
  Query* const bound = BindArguments(query, call);
  if (is_strict) AddStrictness(call, bound);
  return bound;
}

HeapTuple FunctionTuple(Oid function) {
  if (function < FirstNormalObjectId) return nullptr;
  return SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(function));
}

[[noreturn]] void RefuseUnknown(Oid function) {
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
           errmsg("it is not known what function %s reads", format_procedure(function)),
           errdetail("It is STABLE, and its body cannot be read: a change of a table that it "
                     "reads would not be seen."),
           errhint("Say what the functions of the TVIEW read, WITH (pg_tviews.function_reads = "
                   "'table, ...') or 'none', also in ALTER TABLE ... SET; or write the function "
                   "in SQL, or IMMUTABLE if its result depends on its arguments only.")));
  pg_unreachable();
}

}  // namespace

SubLink* SublinkFor(const FuncExpr* call) {
  HeapTuple const function = FunctionTuple(call->funcid);
  if (function == nullptr || call->funcretset) return nullptr;
  Query* const body = OnlyQuery(function, call);
  Query* const query = body == nullptr ? nullptr : AsValue(body, call->funcresulttype);
  if (query == nullptr) return nullptr;
  SubLink* const sublink = makeNode(SubLink);
  sublink->subLinkType = EXPR_SUBLINK;
  sublink->subLinkId = static_cast<int>(call->funcid);
  sublink->subselect = reinterpret_cast<Node*>(BindArguments(query, call));
  sublink->location = -1;
  return sublink;
}

RoleId ReaderOf(Oid32 function, RoleId caller) {
  HeapTuple const tuple = FunctionTuple(function);
  return tuple != nullptr && FormOf(tuple)->prosecdef ? FormOf(tuple)->proowner : caller;
}

void RefuseRowSecurity(RelationId relation, RoleId reader) {
  if (check_enable_rls(relation, reader, true) != RLS_ENABLED) return;
  ereport(ERROR,
          (errcode(ERRCODE_WRONG_OBJECT_TYPE),
           errmsg("relation %s cannot be the source of a TVIEW", get_rel_name(relation)),
           errdetail("Row-level security policies hide some of its rows from role %s, with whose "
                     "rights a SECURITY DEFINER function reads it.",
                     GetUserNameFromId(reader, false)),
           errhint("Give the function to a role that policies do not apply to.")));
}

// The server uses the number for MULTIEXPR only, which no SELECT has.
Oid32 FunctionOf(const SubLink* sublink) { return static_cast<Oid32>(sublink->subLinkId); }

Query* SubqueryFor(const RangeTblEntry* rte) {
  if (rte->funcordinality || list_length(rte->functions) != 1) return nullptr;
  const auto* const item = linitial_node(RangeTblFunction, rte->functions);
  const auto* const call = reinterpret_cast<FuncExpr*>(item->funcexpr);
  HeapTuple const function = FunctionTuple(call->funcid);
  if (function == nullptr || !call->funcretset) return nullptr;
  Query* const body = OnlyQuery(function, call);
  const List* const types = ColumnTypes(item);
  if (body == nullptr || types == NIL) return nullptr;
  return AsRows(body, types, call, FormOf(function)->proisstrict);
}

List* QueriesOf(const CalledFunction& called, Expansion* expansion) {
  HeapTuple const function = FunctionTuple(called.function);
  if (function == nullptr || FormOf(function)->provolatile != PROVOLATILE_STABLE) return NIL;
  RefuseSessionFunction(called.function);
  if (IsStableSql(function)) {
    List* const queries = ReadBody(function, called.call);
    if (queries != NIL) return queries;
  } else if (OidIsValid(getExtensionOfObject(ProcedureRelationId, called.function))) {
    return NIL;
  }
  if (expansion->reads_are_declared) return NIL;
  if (!expansion->accepts_unknown) RefuseUnknown(called.function);
  expansion->unknown.Add(
      psprintf("it is not known what function %s reads", format_procedure(called.function)));
  return NIL;
}

}  // namespace tviews::backend::lineage
