#include "backend/reading/reading.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "backend/reading/plan_reads.h"
#include "backend/reading/reader_snapshot.h"
#include "backend/reading/waiting.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/common/awaiting_adoption.h"
#include "shared/pg/common/dead_letter.h"
#include "shared/pg/common/reader_bypass.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/pg/tables/frontier.h"
#include "shared/pg/tables/outbox.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <access/xlog.h>
#include <catalog/namespace.h>
#include <commands/prepare.h>
#include <executor/execdesc.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <replication/logicalworker.h>
#include <utils/inval.h>
#include <utils/plancache.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

namespace settings = pg::settings;

// What BEGIN of a REPEATABLE READ transaction spends at most on the session's own changes: it may
// not read a TVIEW at all.
constexpr std::int64_t kBeginPatience = 100 * 1000;

bool IsStrict() { return settings::read_consistency == settings::kStrict; }

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

absl::StatusOr<Waited> Await(const Awaited& awaited, const ReadTviews& reads) {
  const Concerned& concerned = reads.concerned;
  if (IsStrict() || reads.any_unadopted) return AwaitEverything(concerned, ReadTimeout());
  Waited end = Waited::kDone;
  for (const FullXid xid : {awaited.own, awaited.creator}) {
    if (xid == 0) continue;
    TVIEWS_ASSIGN_OR_RETURN(end, AwaitCommitted(xid, concerned, ReadTimeout()));
    if (!IsDone(end)) return end;
  }
  return end;
}

// A state that waiting does not end: an error in `strict`, a WARNING otherwise.
absl::Status Complain(const char* message, const char* detail, const char* hint) {
  if (IsStrict()) {
    return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.message = message, .detail = detail, .hint = hint});
  }
  return pg::Call([&] {
    ereport(WARNING, (errmsg("%s", message), errdetail("%s", detail), errhint("%s", hint)));
  });
}

// Where library and SQL objects are of different versions, no batch is applied.
absl::StatusOr<bool> VersionsDiffer() {
  const absl::Status status = pg::CheckVersion();
  if (status.ok()) return false;
  if (IsStrict()) return status;
  TVIEWS_RETURN_IF_ERROR(Complain("TVIEWs are read as they stand: no changes are applied",
                                  std::string(status.message()).c_str(),
                                  pg::ErrorHint(status).c_str()));
  return true;
}

// Reports how a wait ended; OK if the statement may go on.
absl::Status ReportEnd(Waited waited) {
  switch (waited) {
    case Waited::kDone:
    case Waited::kDoneForThese:
      return absl::OkStatus();
    case Waited::kTimedOut:
      return TimedOut();
    case Waited::kPaused:
      return Complain("TVIEWs are read as they stand: the applier of this database is paused",
                      "They do not show every change that they should.",
                      "pg_tviews_resume() lets it go on.");
    case Waited::kDisabled:
      return Complain("TVIEWs are read as they stand: pg_tviews.enabled is off",
                      "They do not show every change that they should.",
                      "Set pg_tviews.enabled to on and reload the configuration.");
  }
  return absl::OkStatus();
}

// What a statement reads; asked again after the wait, when catalogs may have changed.
using Look = absl::FunctionRef<absl::StatusOr<ReadTviews>()>;

// After the wait, so its adoption has failed.
absl::Status ReportUnadopted(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
  return Complain(
      ("TVIEW \"" + name + "\" waits to be adopted").c_str(),
      "It has come with a dump or a copy of a database, and does not follow its sources "
      "yet.",
      "See pg_tview_dead_letter for what is in the way; it is tried again by itself.");
}

absl::Status ReportGivenUp(const ReadTviews& reads) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<GivenUp> given_up, GivenUpTviews());
  for (const GivenUp& tview : given_up) {
    if (!absl::c_linear_search(reads.concerned.tviews, tview.tview)) continue;
    TVIEWS_RETURN_IF_ERROR(Complain(("TVIEW \"" + tview.name + "\" is left behind").c_str(),
                                    ("It stands as it was before: " + tview.reason + ".").c_str(),
                                    kGivenUpHint));
  }
  return absl::OkStatus();
}

absl::Status ReportQuarantine(Look look) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { AcceptInvalidationMessages(); }));
  TVIEWS_ASSIGN_OR_RETURN(const ReadTviews reads, look());
  TVIEWS_RETURN_IF_ERROR(ReportGivenUp(reads));
  for (const RelationId tview : reads.concerned.tviews) {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
    if (!state.has_value()) continue;
    if (!state->is_adopted) {
      TVIEWS_RETURN_IF_ERROR(ReportUnadopted(tview));
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const bool has_letter, pg::HasDeadLetter(tview));
    if (!has_letter) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
    if (state->is_quarantined) {
      TVIEWS_RETURN_IF_ERROR(
          Complain(("TVIEW \"" + name + "\" is in quarantine").c_str(),
                   "It stands as it was before its query failed.",
                   "See pg_tview_dead_letter; pg_tviews_retry() brings it back."));
      continue;
    }
    TVIEWS_RETURN_IF_ERROR(
        Complain(("keys of TVIEW \"" + name + "\" are in quarantine").c_str(),
                 "Their rows stand as they were before its query failed for them.",
                 "See pg_tview_dead_letter; correct the source rows, or call pg_tviews_retry()."));
  }
  return absl::OkStatus();
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
  TVIEWS_RETURN_IF_ERROR(ReportQuarantine(look));
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
    if (RelationId id = 0; absl::SimpleAtoi(*row[0], &id)) tviews.push_back(id);
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
absl::StatusOr<bool> FrontierIsFresh(SnapshotData* snapshot, const Awaited& awaited) {
  if (IsStrict() && IsolationIsSerializable()) return true;
  if (IsStrict()) return pg::Outbox::IsEmpty(snapshot);
  TVIEWS_ASSIGN_OR_RETURN(const SnapshotBounds frontier, pg::ReadFrontier(snapshot));
  return Includes(frontier, awaited);
}

absl::StatusOr<Freshness> FreshnessUnder(SnapshotData* snapshot, const Awaited& awaited,
                                         const Concerned& concerned) {
  Freshness freshness;
  TVIEWS_ASSIGN_OR_RETURN(const bool frontier, FrontierIsFresh(snapshot, awaited));
  if (!frontier) return freshness;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> behind, BehindUnder(snapshot));
  freshness.all = behind.empty();
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
    return ReportQuarantine(look);
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
  TVIEWS_RETURN_IF_ERROR(ReportQuarantine(look));
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

// As long as BEGIN waits. What comes then may read TVIEWs or not.
absl::StatusOr<Waited> AwaitOwn(FullXid own, Timeout limit) {
  TVIEWS_ASSIGN_OR_RETURN(const Waited waited, AwaitCommitted(own, {}, limit));
  // Whatever snapshot comes now is newer.
  if (waited == Waited::kDone) SetLastRecordedXid(0);
  return waited;
}

std::int64_t BeginPatience() {
  return std::min(ReadTimeout().value_or(kBeginPatience), kBeginPatience);
}

// Writers are not kept waiting for what their functions may read.
bool SelectsByFunctions(const PlannedStmt* plan) {
  if (plan->commandType != CMD_SELECT) return false;
  for (int i = 0; i < list_length(plan->invalItems); ++i) {
    if (static_cast<const PlanInvalItem*>(list_nth(plan->invalItems, i))->cacheId == PROCOID) {
      return true;
    }
  }
  return false;
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

// Commands that run queries below their own snapshot, where it cannot be replaced any more.
enum class Reading { kNo, kPerhaps, kYes };

Reading ReadingOfPrepared(const char* name) {
  const PreparedStatement* const prepared = FetchPreparedStatement(name, false);
  if (prepared == nullptr) return Reading::kNo;
  const List* const relations = prepared->plansource->relationOids;
  for (int i = 0; i < list_length(relations); ++i) {
    const absl::StatusOr<bool> is_tview = pg::IsTview(list_nth_oid(relations, i));
    if (is_tview.ok() && *is_tview) return Reading::kYes;
  }
  return prepared->plansource->invalItems == NIL ? Reading::kNo : Reading::kPerhaps;
}

bool IsAnalyze(const ExplainStmt* explain) {
  for (int i = 0; i < list_length(explain->options); ++i) {
    if (std::strcmp(static_cast<const DefElem*>(list_nth(explain->options, i))->defname,
                    "analyze") == 0) {
      return true;
    }
  }
  return false;
}

Reading ReadingOf(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_CreateTableAsStmt:
    case T_RefreshMatViewStmt:
      return Reading::kYes;
    case T_CopyStmt:
      return reinterpret_cast<const CopyStmt*>(statement)->query != nullptr ? Reading::kYes
                                                                            : Reading::kNo;
    case T_ExplainStmt:
      return IsAnalyze(reinterpret_cast<const ExplainStmt*>(statement)) ? Reading::kYes
                                                                        : Reading::kNo;
    case T_ExecuteStmt:
      return ReadingOfPrepared(reinterpret_cast<const ExecuteStmt*>(statement)->name);
    case T_DeclareCursorStmt:
      return Reading::kYes;
    case T_CallStmt:
    case T_DoStmt:
      return Reading::kPerhaps;
    default:
      return Reading::kNo;
  }
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
                          IsStrict() ? AwaitEverything({}, limit) : AwaitOwn(own, limit));
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
  if (IsStrict()) return AwaitEverything({}, ReadTimeout()).status();
  const FullXid own = LastRecordedXid();
  if (own == 0) return absl::OkStatus();
  return AwaitOwn(own, BeginPatience()).status();
}

}  // namespace tviews::backend
