// Named points at which a test can stop a process of ours.
//
// Layer:   pg
// Sharing: private to one process; the test holds an advisory lock
// Errors:  returns Status (an interrupt while paused)
//
// pg_tviews.pause_at = 'after_take:4711' makes every process that reaches the point "after_take"
// wait until nobody holds advisory lock 4711; pg_stat_activity.query says "paused at after_take"
// meanwhile. It works on a stock server and costs one comparison when the setting is empty.

#ifndef PG_TVIEWS_SHARED_PG_PAUSE_POINT_H_
#define PG_TVIEWS_SHARED_PG_PAUSE_POINT_H_

#include "absl/status/status.h"

namespace tviews::pg {

absl::Status PausePoint(const char* name);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PAUSE_POINT_H_
