// The records of a batch, as one delta for each relation.
//
// Layer:   worker
// Sharing: private to the applier; reads the queue and the outbox
// Errors:  returns Status; a record that cannot be read counts as a change of everything

#ifndef PG_TVIEWS_WORKER_BATCH_BATCH_RECORDS_H_
#define PG_TVIEWS_WORKER_BATCH_BATCH_RECORDS_H_

#include "absl/status/statusor.h"
#include "shared/change_record.h"
#include "worker/batch/batch_catalog.h"
#include "worker/core/coalescer.h"
#include "worker/core/queue_reader.h"

namespace tviews::worker {

// Which database of which server this process works for.
Origin Here();

// Those of `outbox`. A record that says that metadata changed makes `catalog` be read
// again, and the records be coalesced for its new graph.
absl::StatusOr<Coalescer> CollectRecords(QueueReader* reader, BatchOutbox* outbox,
                                         BatchCatalog* catalog);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_BATCH_RECORDS_H_
