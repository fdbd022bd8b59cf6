// Statements that read TVIEWs: what they wait for, and under which snapshot they run then.
//
// Layer:   backend
// Sharing: private to one process; waits on shared memory (waiting.h)
// Errors:  returns Status; interruptible
//
// pg_tviews.read_consistency decides: `session` waits until the frontier includes this session's
// last transaction with a change record, `strict` until everything committed so far is applied. A
// statement that reads a TVIEW which waits to be adopted waits for everything in `session` too:
// what this session changes may not be captured yet. Where adoption has failed, nothing is waited
// for, and the statement warns as it does of a quarantine.
//
// READ COMMITTED: wait, then replace the statement's snapshot, also when nothing had to be waited
// for: the batch may have committed after the snapshot was taken (ATTACKS A11). Then the session's
// own transaction is confirmed, and nothing is pending.
// REPEATABLE READ and SERIALIZABLE: BEGIN waits, and so does the first query, which gets a newer
// snapshot for the whole transaction (reader_snapshot.h). A later one whose transaction's snapshot
// does not show what it should wait for waits, and then fails with 40001: the next attempt sees it
// (A12).
//
// Never in parallel mode, on a standby, in workers of logical replication or autovacuum, nor while
// a ReaderBypass lives.

#ifndef PG_TVIEWS_BACKEND_READING_READING_H_
#define PG_TVIEWS_BACKEND_READING_READING_H_

#include "absl/status/status.h"
#include "backend/capture/transaction.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"

struct CopyStmt;
struct Node;
struct QueryDesc;

namespace tviews::backend {

// False for a session that has nothing to wait for: a few comparisons.
inline bool MayHaveToWait() {
  switch (pg::settings::read_consistency) {
    case pg::settings::kEventual:
      return false;
    case pg::settings::kSession:
      return LastRecordedXid() != 0 || pg::MayHaveUnsettledTviews();
    default:
      return true;
  }
}

// For a query that is about to be started.
absl::Status PrepareToRead(QueryDesc* query);

// For COPY relation TO, which reads without the executor.
absl::Status PrepareToCopy(const CopyStmt* statement);

// For a whole command that runs queries of its own (EXECUTE, CREATE TABLE AS, COPY (query) TO,
// CALL, DO and the like), before it begins.
absl::Status PrepareToRun(const Node* statement);

// After BEGIN, before the transaction has a snapshot. A timeout is no error.
absl::Status AfterBegin();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_READING_H_
