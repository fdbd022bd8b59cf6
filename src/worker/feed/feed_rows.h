// The durable change feed: rows of pg_tview_feed.
//
// Layer:   worker
// Sharing: a table; written by the applier in the batch's transaction
// Errors:  every function may raise: call them inside pg::Call only
//
// Rows are spooled, and go into the table at the end of the batch: whoever takes a position holds a
// lock on the sequence until its transaction ends, and positions ascend in the order of commits,
// whoever writes. So a lane waits for another one that has something to tell only while that one
// writes what it tells and commits, not for its computation. What a subtransaction has spooled goes
// with it: the documents and the news of them are both there, or neither.

#ifndef PG_TVIEWS_WORKER_FEED_FEED_ROWS_H_
#define PG_TVIEWS_WORKER_FEED_FEED_ROWS_H_

#include "worker/feed/change_feed.h"

namespace tviews::worker {

struct FeedRows;

FeedRows* OpenFeedRows(const FeedSource& source);
void AddFeedRow(FeedRows* rows, const FeedChange& change);

void CloseFeedRows(FeedRows* rows);

// Last in the batch's transaction. If there are rows, it will not commit before they are on disk: a
// consumer must never have seen a position that a crash gives to another row.
void WriteFeedRows();

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_FEED_ROWS_H_
