// The durable change feed: rows of pg_tview_feed.
//
// Layer:   worker
// Sharing: a table; written by the applier in the batch's transaction
// Errors:  every function may raise: call them inside pg::Call only
//
// Rows go into the table at once, in the subtransaction that writes the documents: both are there
// or neither is, and memory does not grow with the batch. Whoever takes a position holds a lock on
// the sequence until its transaction ends: positions ascend in the order of commits, whoever
// writes.

#ifndef PG_TVIEWS_WORKER_FEED_FEED_ROWS_H_
#define PG_TVIEWS_WORKER_FEED_FEED_ROWS_H_

#include "worker/feed/change_feed.h"

namespace tviews::worker {

struct FeedRows;

FeedRows* OpenFeedRows(const FeedSource& source);
void AddFeedRow(FeedRows* rows, const FeedChange& change);

// Closes the table. If there were rows, the transaction will not commit before they are on disk: a
// consumer must never have seen a position that a crash gives to another row.
void CloseFeedRows(FeedRows* rows);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_FEED_ROWS_H_
