#include "backend/reading/exchanges.h"

#include <optional>
#include <string>
#include <vector>

#include "backend/reading/plan_reads.h"
#include "backend/reading/reader_snapshot.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/transam.h>
#include <access/xact.h>
#include <catalog/namespace.h>
#include <executor/execdesc.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

bool Sees(SnapshotData* snapshot, FullXid xid) {
  const TransactionId id = XidFromFullTransactionId(FullTransactionIdFromU64(xid));
  return TransactionIdIsCurrentTransactionId(id) || !XidInMVCCSnapshot(id, snapshot);
}

// An applier looks for itself: it begins again where a relation was invalidated.
bool IsToBeChecked(const SnapshotData* snapshot) {
  return snapshot != nullptr && snapshot->snapshot_type == SNAPSHOT_MVCC && !pg::IsWorker();
}

// To ask which relations are TVIEWs takes a lock, which whoever drops the extension holds against
// all: a statement over no relation, or over those of the server, does not ask.
bool MayReadTview(const PlannedStmt* plan) {
  const ListCell* cell;
  foreach (cell, plan->relationOids) {
    if (lfirst_oid(cell) >= FirstNormalObjectId) return true;
  }
  return false;
}

// True if no snapshot of this process can be too old.
absl::StatusOr<bool> AreSettled() {
  TVIEWS_ASSIGN_OR_RETURN(const FullXid last, pg::LastExchange());
  if (last == 0) return true;
  if (!TransactionIdIsNormal(TransactionXmin) || last >= pg::WidenXid(TransactionXmin)) {
    return false;
  }
  pg::SettleExchanges();
  return true;
}

absl::Status CheckTview(RelationId tview, SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
  if (!state.has_value() || state->exchanged_by == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool sees,
                          pg::CallFor([&] { return Sees(snapshot, state->exchanged_by); }));
  if (sees) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
  return pg::MakeError(
      absl::StatusCode::kAborted,
      {.message = "could not read TVIEW " + name + " as of this transaction's snapshot",
       .detail = "All of its rows were written anew since the snapshot was taken, because what it "
                 "is defined by has changed.",
       .hint = "The transaction might succeed if retried.",
       .sqlstate = "40001"});
}

}  // namespace

absl::Status CheckExchanges(QueryDesc* query) {
  if (!IsToBeChecked(query->snapshot) || !MayReadTview(query->plannedstmt)) {
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool are_settled, AreSettled());
  if (are_settled) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const ReadTviews reads, TviewsReadBy(query->plannedstmt));
  for (const RelationId tview : reads.concerned.tviews) {
    if (!IsolationUsesXactSnapshot() && IsReplaceable(query->snapshot)) {
      return pg::Call([query] { ReplaceSnapshot(query); });
    }
    TVIEWS_RETURN_IF_ERROR(CheckTview(tview, query->snapshot));
  }
  return absl::OkStatus();
}

absl::Status CheckExchangesBeforeCopy(const CopyStmt* statement) {
  SnapshotData* snapshot = nullptr;
  RelationId relation = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : nullptr;
    relation = RangeVarGetRelid(statement->relation, NoLock, true);
    const bool may_read =
        OidIsValid(relation) && pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
    if (!may_read) relation = InvalidOid;  // the server says so
  }));
  if (relation == 0 || !IsToBeChecked(snapshot)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (!is_tview) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(pg::Call([relation] { LockRelationOid(relation, AccessShareLock); }));
  TVIEWS_ASSIGN_OR_RETURN(const bool are_settled, AreSettled());
  if (are_settled) return absl::OkStatus();
  // As a query that has waited for the lock would have taken it.
  if (!IsolationUsesXactSnapshot() && IsReplaceable(snapshot)) {
    return pg::Call([] { ReplaceActiveSnapshot(); });
  }
  return CheckTview(relation, snapshot);
}

}  // namespace tviews::backend
