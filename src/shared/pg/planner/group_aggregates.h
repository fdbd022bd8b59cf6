// Aggregates that can be taken apart again: what a group state keeps of each, and how its value
// follows from that.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  raises
//
// Sums are over rows with weights, so that a row is taken out by its negative. Sums of numeric are
// kept apart by display scale, and NaN, the infinities and NULL by classes of their own: what is
// left when the last 1.00 goes is what the server would print.
//
// An extreme, min or max, cannot be taken out. Where the one that is kept goes and no better one
// comes, it is marked as doubtful, and found anew in the tables. In a row's `m` each has two
// places: its text, and the mark. Among rows with weights the second place has the extreme of what
// goes.

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_

#include "shared/pg/planner/group_parts.h"

struct Aggref;

namespace tviews::pg {

bool CountsDistinct(const Aggref* aggregate);

// True of an aggregate of one of these kinds, whatever its arguments are.
bool IsTakenApart(const Aggref* aggregate);

// Adds to `parts` what the aggregate needs; returns its value, of rows s of a state.
// REQUIRES: IsTakenApart.
char* TakeApart(const Aggref* aggregate, GroupParts* parts);

// The two places of an extreme among rows with weights.
char* ExtremesOfRows(const GroupExtreme* extreme, const char* weight);
// Those of a row s to which `excluded` is added, where it is the extreme at `place`, from 0.
char* MergedExtremes(const GroupExtreme* extreme, int place, bool is_join);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_GROUP_AGGREGATES_H_
