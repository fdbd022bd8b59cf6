#include "backend/lineage/clock.h"

#include "backend/lineage/plain.h"
#include "backend/lineage/stable_functions.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <catalog/pg_proc.h>
#include <nodes/nodeFuncs.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

const char* NameOfValue(SQLValueFunctionOp operation) {
  switch (operation) {
    case SVFOP_CURRENT_DATE:
      return "CURRENT_DATE";
    case SVFOP_CURRENT_TIME:
    case SVFOP_CURRENT_TIME_N:
      return "CURRENT_TIME";
    case SVFOP_CURRENT_TIMESTAMP:
    case SVFOP_CURRENT_TIMESTAMP_N:
      return "CURRENT_TIMESTAMP";
    case SVFOP_LOCALTIME:
    case SVFOP_LOCALTIME_N:
      return "LOCALTIME";
    case SVFOP_LOCALTIMESTAMP:
    case SVFOP_LOCALTIMESTAMP_N:
      return "LOCALTIMESTAMP";
    default:
      return nullptr;
  }
}

bool VisitFunction(Oid function, void* context) {
  if (function >= FirstNormalObjectId || func_volatile(function) != PROVOLATILE_STABLE ||
      KindOfStable(function) != StableKind::kClock) {
    return false;
  }
  *static_cast<const char**>(context) = format_procedure(function);
  return true;
}

// Null if `node` itself is not the time.
const char* NameOfClock(Node* node) {
  if (IsA(node, SQLValueFunction)) {
    return NameOfValue(reinterpret_cast<SQLValueFunction*>(node)->op);
  }
  const char* name = nullptr;
  check_functions_in_node(node, VisitFunction, &name);
  return name;
}

bool FindClock(Node* node, void* context) {
  if (node == nullptr || IsA(node, RangeTblEntry)) return false;
  if (IsA(node, Query)) return WalkQuery(reinterpret_cast<Query*>(node), FindClock, context);
  if (const char* const name = NameOfClock(node); name != nullptr) {
    *static_cast<const char**>(context) = name;
    return true;
  }
  return WalkChildren(node, FindClock, context);
}

[[noreturn]] void Refuse(const char* name) {
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
           errmsg("a TVIEW cannot use %s without a period", name),
           errdetail("Time passes without a change of the sources."),
           errhint("Compare columns of one table with it, as in expires_at > now(), or say how "
                   "often the TVIEW is to be compared with its query: WITH "
                   "(pg_tviews.clock_period = '1 minute'). Meanwhile now() stands still for it.")));
  pg_unreachable();
}

}  // namespace

bool IsClock(Node* node) { return NameOfClock(node) != nullptr; }

bool UsesClock(const Query* query, ClockRule rule) {
  const char* name = nullptr;
  if (!FindClock(reinterpret_cast<Node*>(const_cast<Query*>(query)), &name)) return false;
  if (rule == ClockRule::kRefused) Refuse(name);
  return true;
}

}  // namespace tviews::backend::lineage
