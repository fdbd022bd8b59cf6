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

// The total cost of the plan that is made for `sql`: for its one parameter of type `type`, or,
// where that is 0, for the rows that are registered with the SPI connection. REQUIRES: one is open.
double PlannedCost(const char* sql, TypeId type, ParamListInfoData* parameters);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_PLANNED_COST_H_
