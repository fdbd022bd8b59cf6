#include "backend/lineage_checks.h"

#include <cstring>

#include "shared/pg/postgres_begin.h"
#include <access/sysattr.h>
#include <access/table.h>
#include <access/transam.h>
#include <catalog/pg_class.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/rel.h>
#include "shared/pg/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

bool IsVolatileFunction(Oid function, void* context) {
  if (func_volatile(function) != PROVOLATILE_VOLATILE) return false;
  *static_cast<Oid*>(context) = function;
  return true;
}

[[noreturn]] void RefuseVolatile(const char* name) {
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
           errmsg("a TVIEW cannot use the volatile function %s", name),
           errdetail("Its result may change without a change of the sources."),
           errhint("Use an IMMUTABLE or STABLE function, or store the value in a source table.")));
  pg_unreachable();
}

void RefuseRelation(Oid relation) {
  Relation opened = table_open(relation, AccessShareLock);
  const char* name = pstrdup(RelationGetRelationName(opened));
  const char persistence = opened->rd_rel->relpersistence;
  const char kind = opened->rd_rel->relkind;
  table_close(opened, NoLock);
  const char* what = nullptr;
  if (relation < FirstNormalObjectId) {
    what = "a system catalog";
  } else if (persistence == RELPERSISTENCE_TEMP) {
    what = "a temporary table";
  } else if (persistence == RELPERSISTENCE_UNLOGGED) {
    what = "an unlogged table";
  } else if (kind == RELKIND_SEQUENCE) {
    what = "a sequence";
  }
  if (what == nullptr) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("a TVIEW cannot read \"%s\", which is %s", name, what),
                  errdetail("Its changes cannot be tracked, or not across a crash."),
                  errhint("Use an ordinary table.")));
}

struct QueryFrame {
  const Query* query;
  QueryFrame* outer;
};

void RefuseSystemColumn(const Var* var, const QueryFrame* frame) {
  if (var->varattno >= 0 || var->varattno == TableOidAttributeNumber) return;
  for (Index i = 0; i < var->varlevelsup; ++i) frame = frame->outer;
  const RangeTblEntry* rte = rt_fetch(var->varno, frame->query->rtable);
  if (rte->rtekind != RTE_RELATION) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("a TVIEW cannot use the system column \"%s\"",
                         get_attname(rte->relid, var->varattno, false)),
                  errhint("Use a column of your own.")));
}

bool RefuseInQuery(Query* query, QueryFrame* outer);

bool RefuseInNode(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* frame = static_cast<QueryFrame*>(context);
  if (IsA(node, Query)) return RefuseInQuery(reinterpret_cast<Query*>(node), frame);
  if (IsA(node, Var)) {
    RefuseSystemColumn(reinterpret_cast<Var*>(node), frame);
    return false;
  }
  if (IsA(node, NextValueExpr)) RefuseVolatile("nextval");
  Oid function = InvalidOid;
  if (check_functions_in_node(node, IsVolatileFunction, &function)) {
    RefuseVolatile(format_procedure(function));
  }
  return WalkChildren(node, RefuseInNode, context);
}

void RefuseEntry(const RangeTblEntry* rte) {
  if (rte->tablesample != nullptr) {
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("a TVIEW cannot use TABLESAMPLE"),
             errdetail("The sample may change without a change of the sources."),
             errhint("Filter by a column instead.")));
  }
  if (rte->rtekind == RTE_RELATION && rte->relkind != RELKIND_VIEW) RefuseRelation(rte->relid);
}

bool RefuseInQuery(Query* query, QueryFrame* outer) {
  QueryFrame frame = {query, outer};
  if (query->rowMarks != NIL) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a TVIEW cannot use FOR UPDATE or FOR SHARE"),
                    errhint("Remove the locking clause.")));
  }
  ListCell* cell;
  foreach (cell, query->rtable) RefuseEntry(static_cast<RangeTblEntry*>(lfirst(cell)));
  foreach (cell, query->rtable) {
    auto* rte = static_cast<RangeTblEntry*>(lfirst(cell));
    if (rte->rtekind == RTE_SUBQUERY) RefuseInQuery(rte->subquery, &frame);
  }
  foreach (cell, query->cteList) {
    RefuseInNode(static_cast<CommonTableExpr*>(lfirst(cell))->ctequery, &frame);
  }
  return WalkLevel(query, RefuseInNode, &frame);
}

struct Undetermined {
  PlainArray<const char*>* reasons;

  void Add(const char* reason) {
    for (const char* known : *reasons) {
      if (strcmp(known, reason) == 0) return;
    }
    reasons->Add(reason);
  }
};

// Aggregates of the server whose result depends on the order of their input.
bool DependsOnOrder(Oid function) {
  const char* name = function < FirstNormalObjectId ? get_func_name(function) : nullptr;
  if (name == nullptr) return false;
  for (const char* known : {"array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg",
                            "jsonb_object_agg", "xmlagg"}) {
    if (strcmp(name, known) == 0) return true;
  }
  return false;
}

bool AddsFloats(const Aggref* aggregate) {
  const char* name =
      aggregate->aggfnoid < FirstNormalObjectId ? get_func_name(aggregate->aggfnoid) : nullptr;
  if (name == nullptr || aggregate->aggargtypes == NIL) return false;
  const Oid type = linitial_oid(aggregate->aggargtypes);
  if (type != FLOAT4OID && type != FLOAT8OID) return false;
  return strcmp(name, "min") != 0 && strcmp(name, "max") != 0 && strcmp(name, "count") != 0;
}

void VisitAggregate(const Aggref* aggregate, Undetermined* found) {
  if (DependsOnOrder(aggregate->aggfnoid) && aggregate->aggorder == NIL &&
      aggregate->aggdistinct == NIL) {
    found->Add(psprintf("%s without ORDER BY depends on the order of rows",
                        get_func_name(aggregate->aggfnoid)));
  }
  if (AddsFloats(aggregate)) {
    found->Add(psprintf("%s of floating-point numbers depends on the order of rows",
                        get_func_name(aggregate->aggfnoid)));
  }
}

void VisitWindow(const WindowFunc* window, Undetermined* found) {
  const char* name =
      window->winfnoid < FirstNormalObjectId ? get_func_name(window->winfnoid) : nullptr;
  if (name == nullptr) return;
  for (const char* known :
       {"row_number", "lag", "lead", "ntile", "first_value", "last_value", "nth_value"}) {
    if (strcmp(name, known) == 0) {
      found->Add(psprintf("%s depends on the order of rows that its ORDER BY leaves equal", name));
    }
  }
}

// LINEAGE 28: changes without DML.
void VisitFunction(Oid function, Undetermined* found) {
  if (func_volatile(function) != PROVOLATILE_STABLE) return;
  const char* name = get_func_name(function);
  if (function >= FirstNormalObjectId) {
    found->Add(psprintf("the function %s is STABLE: a change of what it reads is not seen", name));
    return;
  }
  for (const char* known :
       {"now", "transaction_timestamp", "statement_timestamp", "age", "current_setting",
        "current_database", "current_schema", "current_schemas", "pg_is_in_recovery",
        "current_user", "session_user", "inet_client_addr", "pg_get_userbyid"}) {
    if (strcmp(name, known) == 0) {
      found->Add(
          psprintf("%s changes without a change of the sources; documents keep the value "
                   "of their last refresh",
                   name));
    }
  }
}

bool VisitStableFunction(Oid function, void* context) {
  VisitFunction(function, static_cast<Undetermined*>(context));
  return false;
}

bool VisitExpression(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* found = static_cast<Undetermined*>(context);
  if (IsA(node, Aggref)) VisitAggregate(reinterpret_cast<Aggref*>(node), found);
  if (IsA(node, WindowFunc)) VisitWindow(reinterpret_cast<WindowFunc*>(node), found);
  if (IsA(node, SQLValueFunction)) {
    found->Add(
        "CURRENT_DATE, CURRENT_USER and their like change without a change of the sources; "
        "documents keep the value of their last refresh");
  }
  check_functions_in_node(node, VisitStableFunction, context);
  if (IsA(node, SubLink)) {
    return VisitExpression(reinterpret_cast<SubLink*>(node)->testexpr, context);
  }
  if (IsA(node, Query)) return false;
  return WalkChildren(node, VisitExpression, context);
}

void VisitScope(const Scope* scope, Undetermined* found) {
  Query* query = scope->query;
  WalkLevel(query, VisitExpression, found);
  if (query->limitCount != nullptr || query->limitOffset != nullptr) {
    found->Add(query->sortClause == NIL
                   ? "LIMIT without ORDER BY depends on the order of rows"
                   : "LIMIT depends on the order of rows that its ORDER BY leaves equal");
  }
  if (query->hasDistinctOn) {
    found->Add("DISTINCT ON depends on the order of rows that its ORDER BY leaves equal");
  }
  for (const Occurrence* member : scope->members) {
    if (member->child != nullptr) VisitScope(member->child, found);
  }
  for (const Scope* recursion : scope->recursions) VisitScope(recursion, found);
}

}  // namespace

void RefuseUntrackable(const Query* query) { RefuseInQuery(const_cast<Query*>(query), nullptr); }

void FindUndetermined(const Tree* tree, PlainArray<const char*>* reasons) {
  Undetermined found = {reasons};
  VisitScope(tree->top, &found);
}

}  // namespace tviews::backend::lineage
