// Whether a statement's snapshot may be replaced, and the replacement.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raise PostgreSQL errors: to be called within pg::Call; the rest cannot fail
//
// A statement has its snapshot before any hook sees it. Under READ COMMITTED it may have another
// one as long as it has not begun, provided that both places where the server keeps it agree
// (ATTACKS A10): the query descriptor and the stack of active snapshots. Not replaced are
//
// (1) the snapshot of a running statement, which queries of its STABLE functions use too;
// (2) a snapshot that was active when the current subtransaction began: it is on the stack for
//     somebody outside, who will take it off.
//
// The snapshot of a REPEATABLE READ or SERIALIZABLE transaction may be replaced as long as nothing
// has run under it, which is what the first statement finds that is not in a function: parse
// analysis has taken the snapshot, and nobody has seen a row. The transaction then begins anew, as
// after an abort: predicate locks included.

#ifndef PG_TVIEWS_BACKEND_READING_READER_SNAPSHOT_H_
#define PG_TVIEWS_BACKEND_READING_READER_SNAPSHOT_H_

struct QueryDesc;
struct SnapshotData;

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterReaderSnapshot();

// The snapshot under which a statement runs now; null between statements. Whoever sets it puts back
// what it was; after an error, the end of the transaction or subtransaction does.
SnapshotData* RunningSnapshot();
void SetRunningSnapshot(SnapshotData* snapshot);

// True if `snapshot` is active and may be taken off the stack by this statement.
bool IsReplaceable(SnapshotData* snapshot);

// Makes a newer snapshot active instead of the one that is. REQUIRES: IsReplaceable.
void ReplaceActiveSnapshot();
// The same for a query that is about to be started.
void ReplaceSnapshot(QueryDesc* query);

// True until a query is started in this transaction, or something else makes its snapshot count.
bool IsFirstQuery();
void NoteQuery();

// Gives the transaction another snapshot, which becomes that of `query`, if there is one, and the
// active one. False, and nothing has changed, if somebody else keeps the present one. REQUIRES:
// IsFirstQuery, a transaction that keeps its snapshot, an active snapshot.
bool ReplaceTransactionSnapshot(QueryDesc* query);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_READER_SNAPSHOT_H_
