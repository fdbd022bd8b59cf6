#include "backend/lineage/checks.h"

#include <cstring>

#include "backend/lineage/session_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <access/table.h>
#include <access/transam.h>
#include <catalog/pg_aggregate.h>
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
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

bool IsVolatileFunction(Oid function, void* context) {
  if (func_volatile(function) != PROVOLATILE_VOLATILE) return false;
  *static_cast<Oid*>(context) = function;
  return true;
}

// An aggregate itself is always called IMMUTABLE: what counts is what it calls.
bool IsVolatileAggregate(Oid aggregate, Oid* function) {
  HeapTuple const tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
  bool found = false;
  for (const Oid support :
       {form->aggtransfn, form->aggfinalfn, form->aggcombinefn, form->aggserialfn,
        form->aggdeserialfn, form->aggmtransfn, form->aggminvtransfn, form->aggmfinalfn}) {
    if (!found && OidIsValid(support)) found = IsVolatileFunction(support, function);
  }
  ReleaseSysCache(tuple);
  return found;
}

// Of a function whose name does not stand in the query.
void RefuseVolatileAggregate(Oid aggregate) {
  Oid function = InvalidOid;
  if (!IsVolatileAggregate(aggregate, &function)) return;
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
           errmsg("a TVIEW cannot use the aggregate %s, which calls the volatile function %s",
                  format_procedure(aggregate), format_procedure(function)),
           errdetail("Its result may change without a change of the sources."),
           errhint("Declare the function IMMUTABLE or STABLE if it is.")));
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

void RefuseSystemColumn(Oid relation, AttrNumber attribute) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("a TVIEW cannot use the system column \"%s\"",
                         get_attname(relation, attribute, false)),
                  errhint("Use a column of your own.")));
}

// Attribute 0 is the whole row.
void RefuseVirtualColumn(Oid relation, AttrNumber attribute) {
  Relation opened = table_open(relation, AccessShareLock);
  const int columns = RelationGetDescr(opened)->natts;
  for (int i = 1; i <= columns; ++i) {
    if ((attribute == 0 || attribute == i) &&
        pg::compat::IsVirtualColumn(opened, static_cast<AttrNumber>(i))) {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("a TVIEW cannot read the virtual generated column \"%s\"",
                             get_attname(relation, static_cast<AttrNumber>(i), false)),
                      errdetail("It is not part of a changed row."),
                      errhint("Declare it STORED, or write its expression in the query.")));
    }
  }
  table_close(opened, NoLock);
}

void RefuseColumn(const Var* var, const QueryFrame* frame) {
  for (Index i = 0; i < var->varlevelsup; ++i) frame = frame->outer;
  const RangeTblEntry* rte = rt_fetch(var->varno, frame->query->rtable);
  if (rte->rtekind != RTE_RELATION || var->varattno == TableOidAttributeNumber) return;
  if (var->varattno < 0) {
    RefuseSystemColumn(rte->relid, var->varattno);
  } else {
    RefuseVirtualColumn(rte->relid, var->varattno);
  }
}

bool RefuseInQuery(Query* query, QueryFrame* outer);

bool RefuseInNode(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* frame = static_cast<QueryFrame*>(context);
  if (IsA(node, Query)) return RefuseInQuery(reinterpret_cast<Query*>(node), frame);
  if (IsA(node, Var)) {
    RefuseColumn(reinterpret_cast<Var*>(node), frame);
    return false;
  }
  if (IsA(node, Aggref)) RefuseVolatileAggregate(reinterpret_cast<Aggref*>(node)->aggfnoid);
  if (IsA(node, WindowFunc)) RefuseVolatileAggregate(reinterpret_cast<WindowFunc*>(node)->winfnoid);
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

}  // namespace

void RefuseUntrackable(const Query* query) {
  RefuseInQuery(const_cast<Query*>(query), nullptr);
  RefuseSessionFunctions(query);
}

}  // namespace tviews::backend::lineage
