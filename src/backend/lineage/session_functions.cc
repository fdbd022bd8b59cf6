#include "backend/lineage/session_functions.h"

#include <algorithm>

#include "backend/lineage/plain.h"
#include "backend/lineage/stable_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <catalog/namespace.h>
#include <catalog/pg_aggregate.h>
#include <catalog/pg_language.h>
#include <catalog/pg_proc.h>
#include <nodes/nodeFuncs.h>
#include <parser/parser.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

[[noreturn]] void Refuse(const char* name, const char* user) {
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_OBJECT_DEFINITION), errmsg("a TVIEW cannot use %s", name),
           user == nullptr
               ? errdetail("Its result depends on the session, its user, its settings or the "
                           "process; refreshes run in a process without a session.")
               : errdetail("Function %s uses it. Its result depends on the session, its user, its "
                           "settings or the process; refreshes run in a process without a session.",
                           user),
           errhint("Store the value in a source table and read it from there.")));
  pg_unreachable();
}

// Functions in SQL that are looked into, the outermost first.
struct Search {
  PlainArray<Oid> seen;
  const char* user = nullptr;  // the function whose body is read; null: the definition
};

void VisitFunction(Oid function, Search* search);
void VisitDefaults(Oid function, int given, Search* search);

const char* NameOfValue(SQLValueFunctionOp operation) {
  switch (operation) {
    case SVFOP_CURRENT_ROLE:
      return "CURRENT_ROLE";
    case SVFOP_CURRENT_USER:
      return "CURRENT_USER";
    case SVFOP_USER:
      return "USER";
    case SVFOP_SESSION_USER:
      return "SESSION_USER";
    case SVFOP_CURRENT_SCHEMA:
      return "CURRENT_SCHEMA";
    default:
      return nullptr;  // the database, the time
  }
}

void VisitValue(const SQLValueFunction* value, const Search& search) {
  const char* const name = NameOfValue(value->op);
  if (name != nullptr) Refuse(name, search.user);
}

bool VisitFunctionOfNode(Oid function, void* context) {
  VisitFunction(function, static_cast<Search*>(context));
  return false;
}

// An analysed tree.
bool VisitNode(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, SQLValueFunction)) {
    VisitValue(reinterpret_cast<SQLValueFunction*>(node), *static_cast<Search*>(context));
  }
  if (IsA(node, RangeTblEntry)) return false;  // what is in it is visited, too
  if (IsA(node, Query)) return WalkQuery(reinterpret_cast<Query*>(node), VisitNode, context);
  if (IsA(node, FuncExpr)) {
    const auto* const call = reinterpret_cast<FuncExpr*>(node);
    VisitDefaults(call->funcid, list_length(call->args), static_cast<Search*>(context));
  }
  check_functions_in_node(node, VisitFunctionOfNode, context);
  return WalkChildren(node, VisitNode, context);
}

// A function that is called by name in a body that is not analysed: each that may be meant.
void VisitCall(const FuncCall* call, Search* search) {
  const char* schema = nullptr;
  const char* name = nullptr;
  DeconstructQualifiedName(call->funcname, const_cast<char**>(&schema), const_cast<char**>(&name));
  const int count = list_length(call->args);
  if (schema == nullptr || strcmp(schema, "pg_catalog") == 0) {
    if (IsSessionFunction(name, count)) Refuse(name, search->user);
  }
  FuncCandidateList candidate =
      FuncnameGetCandidates(call->funcname, count, NIL, true, true, false, true);
  for (; candidate != nullptr; candidate = candidate->next) {
    if (candidate->oid < FirstNormalObjectId) continue;
    VisitDefaults(candidate->oid, count, search);
    VisitFunction(candidate->oid, search);
  }
}

bool VisitRaw(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* const search = static_cast<Search*>(context);
  if (IsA(node, SQLValueFunction)) VisitValue(reinterpret_cast<SQLValueFunction*>(node), *search);
  if (IsA(node, FuncCall)) VisitCall(reinterpret_cast<FuncCall*>(node), search);
  return raw_expression_tree_walker(node, pg::compat::ForServer(VisitRaw), context);
}

void VisitText(char* text, Search* search) {
  ListCell* cell;
  foreach (cell, raw_parser(text, RAW_PARSE_DEFAULT)) {
    Node* const statement = lfirst_node(RawStmt, cell)->stmt;
    if (IsA(statement, SelectStmt)) VisitRaw(statement, search);
  }
}

char* TextOf(HeapTuple function, AttrNumber attribute) {
  bool is_null = false;
  const Datum value = SysCacheGetAttr(PROCOID, function, attribute, &is_null);
  return is_null ? nullptr : TextDatumGetCString(value);
}

void VisitAggregate(Oid aggregate, Search* search) {
  HeapTuple const tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
  if (!HeapTupleIsValid(tuple)) return;
  const auto* const form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
  for (const Oid function : {form->aggtransfn, form->aggfinalfn, form->aggcombinefn,
                             form->aggmtransfn, form->aggminvtransfn, form->aggmfinalfn}) {
    if (OidIsValid(function)) VisitFunction(function, search);
  }
  ReleaseSysCache(tuple);
}

void VisitBody(HeapTuple function, Search* search) {
  const auto* const form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
  if (form->prokind == PROKIND_AGGREGATE) VisitAggregate(form->oid, search);
  if (form->prolang != SQLlanguageId) return;
  char* const analysed = TextOf(function, Anum_pg_proc_prosqlbody);
  if (analysed != nullptr) {
    VisitNode(static_cast<Node*>(stringToNode(analysed)), search);
  } else {
    VisitText(TextOf(function, Anum_pg_proc_prosrc), search);
  }
}

// A call that gives fewer arguments than there are parameters takes the last defaults.
void VisitDefaults(Oid function, int given, Search* search) {
  if (function < FirstNormalObjectId) return;
  HeapTuple const tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return;
  const int missing = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->pronargs - given;
  char* const text = missing > 0 ? TextOf(tuple, Anum_pg_proc_proargdefaults) : nullptr;
  if (text != nullptr) {
    const char* const outer = search->user;
    search->user = format_procedure(function);
    List* const defaults = static_cast<List*>(stringToNode(text));
    for (int i = std::max(0, list_length(defaults) - missing); i < list_length(defaults); ++i) {
      VisitNode(static_cast<Node*>(list_nth(defaults, i)), search);
    }
    search->user = outer;
  }
  ReleaseSysCache(tuple);
}

void VisitFunction(Oid function, Search* search) {
  if (function < FirstNormalObjectId) {
    if (func_volatile(function) == PROVOLATILE_STABLE &&
        KindOfStable(function) == StableKind::kSession) {
      Refuse(format_procedure(function), search->user);
    }
    return;
  }
  for (const Oid seen : search->seen) {
    if (seen == function) return;
  }
  search->seen.Add(function);
  HeapTuple const tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return;
  const char* const outer = search->user;
  search->user = format_procedure(function);
  VisitBody(tuple, search);
  search->user = outer;
  ReleaseSysCache(tuple);
}

}  // namespace

void RefuseSessionFunctions(const Query* query) {
  Search search;
  VisitNode(reinterpret_cast<Node*>(const_cast<Query*>(query)), &search);
}

void RefuseSessionFunction(Oid32 function) {
  Search search;
  VisitFunction(function, &search);
}

void RefuseSessionDefaults(Oid32 function, int arguments) {
  Search search;
  VisitDefaults(function, arguments, &search);
}

}  // namespace tviews::backend::lineage
