// Named points at which a test can stop a process of ours, or make it fail.
//
// Layer:   pg
// Sharing: private to one process; the test holds an advisory lock
// Errors:  returns Status (an interrupt while paused)
//
// pg_tviews.pause_at = 'after_take:4711' makes every process that reaches the point "after_take"
// wait until nobody holds advisory lock 4711; pg_stat_activity.query says "paused at after_take"
// meanwhile. There, a test can kill it. pg_tviews.fail_at = 'after_take:53100' makes every process
// that reaches the point fail with that SQLSTATE, as if the disk were full. Both work on a stock
// server and cost a comparison when the settings are empty.

#ifndef PG_TVIEWS_SHARED_PG_COMMON_PAUSE_POINT_H_
#define PG_TVIEWS_SHARED_PG_COMMON_PAUSE_POINT_H_

#include "absl/status/status.h"

namespace tviews::pg {

absl::Status PausePoint(const char* name);

// For points that nothing may leave by an error: the wait ends with the lock only, and who is to
// fail there meets a C++ exception, which is counted and dropped.
void PausePointInCommit(const char* name) noexcept;

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_COMMON_PAUSE_POINT_H_
