// Why the same rows may give different results (LINEAGE J and 28).
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_UNDETERMINED_H_
#define PG_TVIEWS_BACKEND_LINEAGE_UNDETERMINED_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// Adds each reason once: order left open where it matters, sums of floating-point numbers, one of
// several values that are equal but not the same, and what changes with time, session or settings.
void FindUndetermined(const Tree* tree, bool has_clock, PlainArray<const char*>* reasons);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_UNDETERMINED_H_
