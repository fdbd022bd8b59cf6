// What the planner expects of a statement, without executing it.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_PLANNED_COST_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_PLANNED_COST_H_

#include "shared/types.h"

struct ParamListInfoData;

namespace tviews::pg {

// The total cost of the plan that is made for `sql`: for its `count` parameters, or, where it has
// none, for the rows that are registered with the SPI connection. REQUIRES: one is open.
double PlannedCost(const char* sql, int count = 0, TypeId* types = nullptr,
                   ParamListInfoData* parameters = nullptr);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_PLANNED_COST_H_
