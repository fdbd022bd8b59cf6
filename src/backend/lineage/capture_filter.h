// Which versions of a changed row the capture trigger need not note, for one occurrence.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call
//
// What is asked is a part of what a lookup asks (lineage/filters.h): constants and columns only,
// and short, so that a writer can ask it of every row. Less would only note more.

#ifndef PG_TVIEWS_BACKEND_LINEAGE_CAPTURE_FILTER_H_
#define PG_TVIEWS_BACKEND_LINEAGE_CAPTURE_FILTER_H_

#include "backend/lineage/scope.h"

namespace tviews::backend::lineage {

// What a version has to meet, as pg::RowFilter reads it; null: every version counts.
const char* CaptureFilterOf(const Occurrence* occurrence);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_CAPTURE_FILTER_H_
