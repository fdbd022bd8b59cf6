// Variances and standard deviations of group states.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_VARIANCE_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_VARIANCE_H_

#include "shared/pg/planner/group_parts.h"

struct Aggref;

namespace tviews::pg {

// True of those of integers and numeric.
bool IsVariance(const Aggref* aggregate);

// As TakeApart (group_aggregates.h). REQUIRES: IsVariance.
char* VarianceOf(const Aggref* aggregate, GroupParts* parts);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_VARIANCE_H_
