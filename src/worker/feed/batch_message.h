// What a batch did, as a message in the stream of logical decoding.
//
// Layer:   worker
// Sharing: the write-ahead log
// Errors:  returns Status
//
// The message belongs to the batch's transaction: a consumer of the stream meets it with the
// documents and knows which transactions of the sources they contain, without a published table.

#ifndef PG_TVIEWS_WORKER_FEED_BATCH_MESSAGE_H_
#define PG_TVIEWS_WORKER_FEED_BATCH_MESSAGE_H_

#include <string>

#include "absl/status/status.h"
#include "shared/pg/tables/frontier.h"
#include "shared/types.h"

namespace tviews::worker {

// Nothing without pg_tviews.logical_messages, or where the server decodes nothing.
absl::Status TellBatch(const std::string& lane, const SnapshotBounds& frontier,
                       const pg::BatchTotals& totals);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_BATCH_MESSAGE_H_
