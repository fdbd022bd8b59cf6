// Tells pg_repack, while it rewrites a TVIEW, of the rows that the applier writes.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  every function may raise: call them inside pg::Call only
//
// Rows are written past the executor, so nobody fires the row trigger by which pg_repack follows a
// table. It is called here, after each row, in the batch's transaction: its log has what the batch
// wrote exactly if the batch commits. The function is pg_repack's own, and runs as its owner.

#ifndef PG_TVIEWS_WORKER_WRITE_REPACK_LOG_H_
#define PG_TVIEWS_WORKER_WRITE_REPACK_LOG_H_

struct ResultRelInfo;
struct TupleTableSlot;

namespace tviews::worker {

struct RepackLog;

// Null unless pg_repack follows the table. `tview` has to outlive it.
RepackLog* OpenRepackLog(const ResultRelInfo* tview);

// A row has been written: `old_row` is null for an insert, `new_row` for a delete.
void LogRow(RepackLog* log, TupleTableSlot* old_row, TupleTableSlot* new_row);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_WRITE_REPACK_LOG_H_
