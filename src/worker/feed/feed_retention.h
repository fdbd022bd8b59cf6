// Retention of the durable change feed (pg_tviews.feed_retention).
//
// Layer:   worker
// Sharing: pg_tview_feed, pg_tview_feed_horizon
// Errors:  returns Status
//
// Rows go in the order of their positions, a bounded number per transaction, and the horizon moves
// with them: whoever reads feed and horizon under one snapshot knows whether anything between its
// position and the first row is missing. A reader's snapshot keeps what it sees. Rows that a
// registered consumer has not acknowledged stay, within pg_tviews.feed_consumer_max_age and
// pg_tviews.feed_consumer_max_rows; one whose rows go nevertheless stands before the horizon.

#ifndef PG_TVIEWS_WORKER_FEED_FEED_RETENTION_H_
#define PG_TVIEWS_WORKER_FEED_FEED_RETENTION_H_

#include "absl/status/statusor.h"

namespace tviews::worker {

// Removes some rows that are too old, in a transaction of its own; true if there may be more.
absl::StatusOr<bool> RemoveOldFeedRows();

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_FEED_RETENTION_H_
