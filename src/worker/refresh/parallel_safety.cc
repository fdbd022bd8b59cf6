#include "worker/refresh/parallel_safety.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/inheritors.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_class.h>
#include <catalog/pg_proc.h>
#include <executor/spi.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <storage/lockdefs.h>
#include <utils/lsyscache.h>
#include <utils/plancache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

using pg::compat::ForServer;

bool IsUnsafeFunction(Oid function, void*) { return func_parallel(function) != PROPARALLEL_SAFE; }

bool IsUnsafeRelation(Oid relation) {
  List* const members = pg::FindInheritors(relation, NoLock);
  for (int i = 0; i < list_length(members); ++i) {
    const Oid member = list_nth_oid(members, i);
    if (get_rel_relkind(member) == RELKIND_FOREIGN_TABLE) return true;
    if (get_rel_persistence(member) == RELPERSISTENCE_TEMP) return true;
  }
  return false;
}

// True: found something unsafe.
bool FindUnsafe(Node* node, void* context) {
  if (node == nullptr) return false;
  if (check_functions_in_node(node, IsUnsafeFunction, context)) return true;
  switch (nodeTag(node)) {
    case T_CoerceToDomain:
    case T_NextValueExpr:
      return true;
    case T_RangeTblEntry: {
      const auto* const entry = reinterpret_cast<const RangeTblEntry*>(node);
      return entry->rtekind == RTE_RELATION && IsUnsafeRelation(entry->relid);
    }
    case T_Query: {
      auto* const query = reinterpret_cast<Query*>(node);
      if (query->rowMarks != NIL) return true;
      return query_tree_walker(query, ForServer(FindUnsafe), context, QTW_EXAMINE_RTES_BEFORE);
    }
    default:
      return expression_tree_walker(node, ForServer(FindUnsafe), context);
  }
}

}  // namespace

absl::StatusOr<bool> IsParallelSafe(const std::string& sql) {
  return pg::CallFor([&] {
    SPIPlanPtr const plan = SPI_prepare(sql.c_str(), 0, nullptr);
    if (plan == nullptr) {
      elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    }
    bool is_safe = true;
    List* const sources = SPI_plan_get_plan_sources(plan);
    for (int i = 0; i < list_length(sources); ++i) {
      auto* const source = static_cast<CachedPlanSource*>(list_nth(sources, i));
      if (FindUnsafe(reinterpret_cast<Node*>(source->query_list), nullptr)) is_safe = false;
    }
    SPI_freeplan(plan);
    return is_safe;
  });
}

}  // namespace tviews::worker
