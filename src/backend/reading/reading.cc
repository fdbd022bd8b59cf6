#include "backend/reading/reading.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "backend/reading/command_reads.h"
#include "backend/reading/complaints.h"
#include "backend/reading/plan_reads.h"
#include "backend/reading/reader_snapshot.h"
#include "backend/reading/waiting.h"
#include "backend/tview/names.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/common/awaiting_adoption.h"
#include "shared/pg/common/reader_bypass.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/pg/tables/frontier.h"
#include "shared/pg/tables/lane_owed.h"
#include "shared/pg/tables/outbox.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <access/xlog.h>
#include <catalog/namespace.h>
#include <executor/execdesc.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <replication/logicalworker.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// What BEGIN of a REPEATABLE READ transaction spends at most on the session's own changes: it may
// not read a TVIEW at all.
constexpr std::int64_t kBeginPatience = 100 * 1000;

bool MayWaitHere() {
  return !pg::ReaderBypass::IsActive() && !pg::IsWorker() && !IsInParallelMode() &&
         !IsLogicalWorker() && MyBackendType != B_AUTOVAC_WORKER && !RecoveryInProgress();
}

// In `session`, the transactions that have to be in the frontier.
struct Awaited {
  FullXid own = 0;
  FullXid creator = 0;
};

Awaited AwaitedFor(const ReadTviews& reads) {
  return {.own = LastRecordedXid(), .creator = reads.creator};
}

bool Includes(const SnapshotBounds& frontier, const Awaited& awaited) {
  return (awaited.own == 0 || frontier.Includes(awaited.own)) &&
         (awaited.creator == 0 || frontier.Includes(awaited.creator));
}

bool HasToWait(const ReadTviews& reads) {
  return reads.concerned.any() &&
         (IsStrict() || LastRecordedXid() != 0 || reads.creator != 0 || reads.any_unadopted);
}

bool IsDone(Waited waited) { return waited == Waited::kDone || waited == Waited::kDoneForThese; }

// What has been waited for in some lanes only, the others need not contain.
absl::StatusOr<Waited> UnlessOtherLanes(Waited end, const Concerned& concerned) {
  if (end != Waited::kDone) return end;
  TVIEWS_ASSIGN_OR_RETURN(const bool are_all, AreAllLanes(concerned));
  return are_all ? end : Waited::kDoneForThese;
}

absl::StatusOr<Waited> Await(const Awaited& awaited, const ReadTviews& reads) {
  const Concerned& concerned = reads.concerned;
  Waited end = Waited::kDone;
  if (IsStrict() || reads.any_unadopted) {
    TVIEWS_ASSIGN_OR_RETURN(end, AwaitEverything(concerned, ReadTimeout()));
    return UnlessOtherLanes(end, concerned);
  }
  for (const FullXid xid : {awaited.own, awaited.creator}) {
    if (xid == 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(end, AwaitCommitted(xid, concerned, ReadTimeout()));
    if (!IsDone(end)) return end;
  }
  return UnlessOtherLanes(end, concerned);
}

// After a wait that succeeded and with a snapshot that is newer.
void Confirm(const Awaited& awaited) {
  if (awaited.own == LastRecordedXid()) SetLastRecordedXid(0);
}

// READ COMMITTED.
absl::Status WaitAndReplace(const ReadTviews& reads, Look look, absl::FunctionRef<void()> replace) {
  const Awaited awaited = AwaitedFor(reads);
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, Await(awaited, reads));
  TVIEWS_RETURN_IF_ERROR(ReportEnd(waited));
  TVIEWS_RETURN_IF_ERROR(ReportStandstill(look));
  TVIEWS_RETURN_IF_ERROR(pg::Call(replace));
  if (waited == Waited::kDone) Confirm(awaited);
  return absl::OkStatus();
}

// Which TVIEWs the snapshot shows behind its frontier.
absl::StatusOr<std::vector<RelationId>> BehindUnder(SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_behind"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSqlUnder(snapshot, "SELECT tview::oid FROM " + table + " WHERE retry_at IS NULL",
                          {}));
  std::vector<RelationId> tviews;
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    tviews.push_back(column.Oid());
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::Unfollowing> waiting,
                          pg::WaitingForAdoption(snapshot));
  for (const pg::Unfollowing& tview : waiting) tviews.push_back(tview.tview);
  return tviews;
}

// What a snapshot shows of what is awaited.
struct Freshness {
  bool concerned = false;  // in the TVIEWs that are read
  bool all = false;        // and in all others
};

// What is committed under the snapshot, and not applied, is in the outbox under it. In SERIALIZABLE
// that question would make writers fail, so there the wait at BEGIN is all.
absl::StatusOr<bool> MainIsFresh(SnapshotData* snapshot, const Awaited& awaited) {
  if (IsStrict()) return pg::Outbox::IsEmpty(snapshot);
  TVIEWS_ASSIGN_OR_RETURN(const SnapshotBounds frontier, pg::ReadFrontier(snapshot, kMainLane));
  return Includes(frontier, awaited);
}

// Another lane contains what the main one has taken and does not owe it any more.
absl::StatusOr<bool> FrontiersAreFresh(SnapshotData* snapshot, const Awaited& awaited,
                                       const Concerned& concerned) {
  if (IsStrict() && IsolationIsSerializable()) return true;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> lanes, LanesOf(concerned));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_main_fresh, MainIsFresh(snapshot, awaited));
  for (const std::string& lane : lanes) {
    if (lane == kMainLane) {
      if (!is_main_fresh) return false;
      continue;
    }
    if (!IsStrict()) {
      TVIEWS_ASSIGN_OR_RETURN(const SnapshotBounds frontier, pg::ReadFrontier(snapshot, lane));
      if (Includes(frontier, awaited)) continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const bool is_owed, pg::LaneIsOwed(snapshot, lane));
    if (!is_main_fresh || is_owed) return false;
  }
  return true;
}

absl::StatusOr<Freshness> FreshnessUnder(SnapshotData* snapshot, const Awaited& awaited,
                                         const Concerned& concerned) {
  Freshness freshness;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_fresh, FrontiersAreFresh(snapshot, awaited, concerned));
  if (!is_fresh) return freshness;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> behind, BehindUnder(snapshot));
  TVIEWS_ASSIGN_OR_RETURN(const bool are_all, AreAllLanes(concerned));
  freshness.all = behind.empty() && are_all;
  freshness.concerned =
      behind.empty() ||
      (!concerned.all && std::none_of(behind.begin(), behind.end(), [&](RelationId tview) {
        return absl::c_linear_search(concerned.tviews, tview);
      }));
  return freshness;
}

// REPEATABLE READ and SERIALIZABLE.
absl::Status CheckSnapshot(const ReadTviews& reads, Look look, SnapshotData* snapshot) {
  const Awaited awaited = AwaitedFor(reads);
  TVIEWS_ASSIGN_OR_RETURN(const Freshness freshness,
                          FreshnessUnder(snapshot, awaited, reads.concerned));
  if (freshness.concerned) {
    if (freshness.all) Confirm(awaited);
    return ReportStandstill(look);
  }
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, Await(awaited, reads));
  TVIEWS_RETURN_IF_ERROR(ReportEnd(waited));
  if (!IsDone(waited)) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kAborted,
      {.message = "could not read TVIEWs as of this transaction's snapshot",
       .detail = IsStrict() ? "Changes that the snapshot shows were not applied when it was taken."
                            : "The TVIEWs did not contain this session's last change yet when the "
                              "snapshot was taken.",
       .hint = "The transaction might succeed if retried.",
       .sqlstate = "40001"});
}

// The first query of a REPEATABLE READ or SERIALIZABLE transaction: as READ COMMITTED, but it is
// the transaction that gets another snapshot. `query` may be null.
absl::Status WaitAndBeginAnew(const ReadTviews& reads, Look look, QueryDesc* query) {
  const Awaited awaited = AwaitedFor(reads);
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, Await(awaited, reads));
  TVIEWS_RETURN_IF_ERROR(ReportEnd(waited));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_new,
                          pg::CallFor([query] { return ReplaceTransactionSnapshot(query); }));
  if (!is_new) {
    TVIEWS_ASSIGN_OR_RETURN(SnapshotData* const present,
                            pg::CallFor([] { return GetActiveSnapshot(); }));
    return CheckSnapshot(reads, look, present);
  }
  TVIEWS_RETURN_IF_ERROR(ReportStandstill(look));
  if (waited == Waited::kDone) Confirm(awaited);
  return absl::OkStatus();
}

absl::Status WaitFor(const ReadTviews& reads, Look look, QueryDesc* query) {
  if (!IsolationUsesXactSnapshot()) {
    return WaitAndReplace(reads, look, [query] { ReplaceSnapshot(query); });
  }
  if (IsFirstQuery()) return WaitAndBeginAnew(reads, look, query);
  return CheckSnapshot(reads, look, query->snapshot);
}

std::int64_t BeginPatience() {
  return std::min(ReadTimeout().value_or(kBeginPatience), kBeginPatience);
}

Concerned OnlyLane(const std::string& lane) { return {.tviews = {}, .all = true, .lane = lane}; }

// What comes then may read TVIEWs or not, and of any lane: the main one is waited for to the limit,
// the others for as long as BEGIN waits. kDone: whatever snapshot comes now, it shows `own`.
absl::StatusOr<Waited> AwaitOwn(FullXid own, Timeout limit) {
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, AwaitCommitted(own, OnlyLane(kMainLane), limit));
  if (waited != Waited::kDone) return waited;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> others, pg::OtherLanes());
  bool is_everywhere = true;
  for (const std::string& lane : others) {
    TVIEWS_ASSIGN_OR_RETURN(const Waited end,
                            AwaitCommitted(own, OnlyLane(lane), Timeout(BeginPatience())));
    is_everywhere = is_everywhere && end == Waited::kDone;
  }
  // Whatever snapshot comes now is newer.
  if (is_everywhere) SetLastRecordedXid(0);
  return waited;
}

// The same for every commit so far.
absl::StatusOr<Waited> AwaitAnything(Timeout limit) {
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, AwaitEverything(OnlyLane(kMainLane), limit));
  if (waited != Waited::kDone) return waited;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> others, pg::OtherLanes());
  for (const std::string& lane : others) {
    TVIEWS_RETURN_IF_ERROR(AwaitEverything(OnlyLane(lane), Timeout(BeginPatience())).status());
  }
  return waited;
}

// In a transaction that keeps its snapshot, what its functions read is decided by its first query:
// where this calls one that is VOLATILE, it waits as BEGIN does.
absl::Status WaitForFunctions(QueryDesc* query) {
  if (!IsolationUsesXactSnapshot() || !IsFirstQuery() || LastRecordedXid() == 0 ||
      !SelectsByFunctions(query->plannedstmt)) {
    return absl::OkStatus();
  }
  const FullXid own = LastRecordedXid();
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, AwaitOwn(own, BeginPatience()));
  if (waited != Waited::kDone) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_new,
                          pg::CallFor([query] { return ReplaceTransactionSnapshot(query); }));
  if (!is_new) SetLastRecordedXid(own);
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareToRun(const Node* statement) {
  if (!IsolationUsesXactSnapshot() || !MayWaitHere() || !IsFirstQuery()) return absl::OkStatus();
  const FullXid own = LastRecordedXid();
  if (own == 0 && !IsStrict()) return absl::OkStatus();
  const Reading reading = ReadingOf(statement);
  TVIEWS_ASSIGN_OR_RETURN(const bool has_snapshot, pg::CallFor([] { return ActiveSnapshotSet(); }));
  if (reading == Reading::kNo || !has_snapshot || !pg::CheckVersion().ok()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  const Timeout limit = reading == Reading::kYes ? ReadTimeout() : Timeout(BeginPatience());
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited,
                          IsStrict() ? AwaitAnything(limit) : AwaitOwn(own, limit));
  if (waited != Waited::kDone) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_new,
                          pg::CallFor([] { return ReplaceTransactionSnapshot(nullptr); }));
  if (!is_new) SetLastRecordedXid(own);
  return absl::OkStatus();
}

absl::Status PrepareToRead(QueryDesc* query) {
  if (!MayWaitHere() || !IsReplaceable(query->snapshot)) return absl::OkStatus();
  const auto look = [query] { return TviewsReadBy(query->plannedstmt); };
  TVIEWS_ASSIGN_OR_RETURN(const ReadTviews reads, look());
  if (!HasToWait(reads)) return WaitForFunctions(query);
  TVIEWS_ASSIGN_OR_RETURN(const bool versions_differ, VersionsDiffer());
  if (versions_differ) return absl::OkStatus();
  return WaitFor(reads, look, query);
}

absl::Status PrepareToCopy(const CopyStmt* statement) {
  if (!MayWaitHere() || statement->is_from || statement->relation == nullptr) {
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([&] {
                            return RangeVarGetRelid(statement->relation, NoLock, true);
                          }));
  const auto look = [relation]() -> absl::StatusOr<ReadTviews> {
    ReadTviews reads;
    TVIEWS_RETURN_IF_ERROR(AddRelation(relation, &reads));
    return reads;
  };
  TVIEWS_ASSIGN_OR_RETURN(const ReadTviews reads, look());
  TVIEWS_ASSIGN_OR_RETURN(SnapshotData* const snapshot, pg::CallFor([] {
                            return ActiveSnapshotSet() ? GetActiveSnapshot() : nullptr;
                          }));
  if (!HasToWait(reads) || !IsReplaceable(snapshot)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool versions_differ, VersionsDiffer());
  if (versions_differ) return absl::OkStatus();
  if (IsolationUsesXactSnapshot() && IsFirstQuery()) {
    return WaitAndBeginAnew(reads, look, nullptr);
  }
  if (IsolationUsesXactSnapshot()) return CheckSnapshot(reads, look, snapshot);
  return WaitAndReplace(reads, look, [] { ReplaceActiveSnapshot(); });
}

absl::Status AfterBegin() {
  if (!IsolationUsesXactSnapshot()) return absl::OkStatus();
  if (!MayWaitHere() || !pg::CheckVersion().ok()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  if (IsStrict()) return AwaitEverything(OnlyLane(kMainLane), ReadTimeout()).status();
  const FullXid own = LastRecordedXid();
  if (own == 0) return absl::OkStatus();
  return AwaitOwn(own, BeginPatience()).status();
}

}  // namespace tviews::backend
