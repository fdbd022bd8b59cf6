// The change feed as notifications: NOTIFY on the channel that is called like the TVIEW's table.
//
// Layer:   worker
// Sharing: the server's notification queue, at commit
// Errors:  every function may raise: call them inside pg::Call only
//
// (1) A message is below the server's limit; more keys make more messages.
// (2) Beyond kNamedDocuments in one refresh, documents are counted, not named, in one last message.
// (3) A notification queue that is half full gets no more from us: an error at commit would stop
// the
//     applier because of one idle listener.

#ifndef PG_TVIEWS_WORKER_FEED_FEED_MESSAGES_H_
#define PG_TVIEWS_WORKER_FEED_FEED_MESSAGES_H_

#include "worker/feed/change_feed.h"

namespace tviews::worker {

struct FeedMessages;

FeedMessages* OpenFeedMessages(const FeedSource& source);
void AddToMessages(FeedMessages* messages, const FeedChange& change);

// Sends what is left. The server delivers everything when the transaction commits.
void CloseFeedMessages(FeedMessages* messages);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_FEED_MESSAGES_H_
