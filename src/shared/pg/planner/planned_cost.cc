#include "shared/pg/planner/planned_cost.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/spi.h>
#include <nodes/plannodes.h>
#include <utils/plancache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

double PlannedCost(const char* sql, int count, TypeId* types, ParamListInfoData* parameters) {
  SPIPlanPtr const plan = SPI_prepare_cursor(sql, count, types, CURSOR_OPT_CUSTOM_PLAN);
  if (plan == nullptr) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
  CachedPlan* cached = nullptr;
  if (count > 0) {
    cached =
        GetCachedPlan(static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan))),
                      parameters, nullptr, nullptr);
  } else {
    cached = SPI_plan_get_cached_plan(plan);
    if (cached == nullptr) elog(ERROR, "one statement has several plans");
  }
  const double cost = linitial_node(PlannedStmt, cached->stmt_list)->planTree->total_cost;
  ReleaseCachedPlan(cached, nullptr);
  SPI_freeplan(plan);
  return cost;
}

}  // namespace tviews::pg
