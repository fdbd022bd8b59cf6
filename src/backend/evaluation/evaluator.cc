#include "backend/evaluation/evaluator.h"

#include <optional>
#include <string>
#include <utility>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/segment.h"
#include "shared/pg/common/start_worker.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/evaluation/evaluator_segment.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/xact.h>
#include <catalog/pg_class.h>
#include <catalog/pg_rewrite.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <rewrite/rewriteSupport.h>
#include <storage/dsm.h>
#include <storage/latch.h>
#include <storage/lmgr.h>
#include <storage/lock.h>
#include <storage/proc.h>
#include <storage/shm_mq.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

struct Evaluator::Process {
  dsm_segment* segment;
  BackgroundWorkerHandle* handle;
  shm_mq_handle* requests;
  shm_mq_handle* answers;
  bool is_working;  // on what it was sent last
};

namespace {

// How long a free process is waited for.
constexpr int kPatienceMs = 10 * 1000;
constexpr long kRetryMs = 20;

struct Queues {
  shm_mq* requests;
  shm_mq* answers;
};

// These raise.

dsm_segment* MakeSegment(Queues* queues) {
  const pg::Segment segment = pg::MakeSegment(
      pg::kEvaluatorMagic, {sizeof(pg::EvaluatorShared), pg::kRequestsSize, pg::kAnswersSize});
  auto* const shared = reinterpret_cast<pg::EvaluatorShared*>(
      pg::TakePiece(segment, pg::kEvaluatorKey, sizeof(pg::EvaluatorShared)));
  shared->database = MyDatabaseId;
  shared->session = MyProc;
  shared->session_pid = MyProcPid;
  shared->lock_timeout = LockTimeout;
  queues->requests =
      shm_mq_create(pg::TakePiece(segment, pg::kRequestsKey, pg::kRequestsSize), pg::kRequestsSize);
  queues->answers =
      shm_mq_create(pg::TakePiece(segment, pg::kAnswersKey, pg::kAnswersSize), pg::kAnswersSize);
  shm_mq_set_sender(queues->requests, MyProc);
  shm_mq_set_receiver(queues->answers, MyProc);
  return segment.memory;
}

BackgroundWorkerHandle* AwaitWorker(dsm_segment* segment) {
  const TimestampTz start = GetCurrentTimestamp();
  for (;;) {
    BackgroundWorkerHandle* const handle =
        pg::StartWorker({.name = "pg_tviews evaluator",
                         .function = "tviews_evaluator_main",
                         .argument = UInt32GetDatum(dsm_segment_handle(segment)),
                         .works_on_a_standby = true});
    if (handle != nullptr) return handle;
    if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), kPatienceMs)) {
      ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                      errmsg("no background worker is free to evaluate the definition"),
                      errhint("Raise max_worker_processes, or try again when other workers have "
                              "ended.")));
    }
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kRetryMs,
              PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

// Called where this process ends without destroying the object.
void EndWorker(dsm_segment*, Datum argument) {
  auto* const handle = reinterpret_cast<BackgroundWorkerHandle*>(DatumGetPointer(argument));
  TerminateBackgroundWorker(handle);
  pg::AwaitWorkerEnd(handle);
}

bool IsOfThisTransaction(HeapTuple tuple) {
  if (!HeapTupleIsValid(tuple)) return false;
  const bool is = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
  ReleaseSysCache(tuple);
  return is;
}

bool IsChangedHere(Oid relation) {
  return IsOfThisTransaction(SearchSysCache1(RELOID, ObjectIdGetDatum(relation))) ||
         IsOfThisTransaction(SearchSysCache2(RULERELNAME, ObjectIdGetDatum(relation),
                                             PointerGetDatum(ViewSelectRuleName)));
}

Oid OwnerOf(Oid relation) {
  HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation with OID %u does not exist", relation)));
  }
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

absl::Status ProcessHasGone() {
  return pg::MakeError(absl::StatusCode::kAborted,
                       {.message = "the process that evaluates the definition has ended",
                        .hint = "The server's log says why.",
                        .sqlstate = "58000"});
}

}  // namespace

absl::StatusOr<Evaluator> Evaluator::Start() {
  Process* process = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    // The segment is left, and its callback called, when an abort has freed the memory of
    // statements.
    MemoryContext const previous = MemoryContextSwitchTo(TopTransactionContext);
    process = static_cast<Process*>(palloc0(sizeof(Process)));
    BecomeLockGroupLeader();
    Queues queues;
    process->segment = MakeSegment(&queues);
    process->handle = AwaitWorker(process->segment);
    on_dsm_detach(process->segment, EndWorker, PointerGetDatum(process->handle));
    process->requests = shm_mq_attach(queues.requests, process->segment, process->handle);
    process->answers = shm_mq_attach(queues.answers, process->segment, process->handle);
    MemoryContextSwitchTo(previous);
  }));
  return Evaluator(process);
}

Evaluator::Evaluator(Evaluator&& other) noexcept
    : process_(std::exchange(other.process_, nullptr)) {}

// A process that has nothing to do ends when the segment is left.
Evaluator::~Evaluator() {
  if (process_ == nullptr) return;
  pg::Call([this] {
    const bool ends_by_itself = !process_->is_working;
    if (ends_by_itself) {
      cancel_on_dsm_detach(process_->segment, EndWorker, PointerGetDatum(process_->handle));
    }
    dsm_detach(process_->segment);
    if (ends_by_itself) pg::AwaitWorkerEnd(process_->handle);
  }).IgnoreError();
}

absl::Status Evaluator::Send(std::string_view message) {
  process_->is_working = true;
  TVIEWS_ASSIGN_OR_RETURN(const shm_mq_result result, pg::CallFor([&] {
                            return shm_mq_send(process_->requests, message.size(), message.data(),
                                               false, true);
                          }));
  return result == SHM_MQ_SUCCESS ? absl::OkStatus() : ProcessHasGone();
}

absl::StatusOr<EvaluationAnswer> Evaluator::Receive() {
  Size size = 0;
  void* data = nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const shm_mq_result result, pg::CallFor([&] {
                            return shm_mq_receive(process_->answers, &size, &data, false);
                          }));
  if (result != SHM_MQ_SUCCESS) return ProcessHasGone();
  std::optional<EvaluationAnswer> answer =
      DecodeAnswer(std::string_view(static_cast<const char*>(data), size));
  if (!answer.has_value()) return absl::InternalError("an evaluator sent an unreadable answer");
  if (!answer->failure.has_value()) return *std::move(answer);
  process_->is_working = false;  // it ends
  return pg::MakeError(absl::StatusCode::kAborted, {.message = answer->failure->message,
                                                    .detail = answer->failure->detail,
                                                    .hint = answer->failure->hint,
                                                    .sqlstate = answer->failure->sqlstate.c_str()});
}

absl::StatusOr<EvaluationEnd> Evaluator::Ask(const Evaluation& evaluation,
                                             std::vector<pg::SqlRow>* rows) {
  TVIEWS_RETURN_IF_ERROR(Send(EncodeEvaluation(evaluation)));
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(EvaluationAnswer answer, Receive());
    if (answer.end.has_value()) {
      process_->is_working = false;
      return *answer.end;
    }
    rows->push_back(*std::move(answer.row));
  }
}

absl::StatusOr<pg::SqlResult> Evaluator::Run(const Evaluation& evaluation) {
  pg::SqlResult result;
  TVIEWS_ASSIGN_OR_RETURN(const EvaluationEnd end, Ask(evaluation, &result.rows));
  result.processed = end.processed;
  return result;
}

absl::StatusOr<double> Evaluator::CostOf(Evaluation evaluation) {
  evaluation.is_planned_only = true;
  std::vector<pg::SqlRow> none;
  TVIEWS_ASSIGN_OR_RETURN(const EvaluationEnd end, Ask(evaluation, &none));
  return end.cost;
}

absl::Status Evaluator::EndSnapshot() {
  TVIEWS_RETURN_IF_ERROR(Send(kEndSnapshot));
  TVIEWS_RETURN_IF_ERROR(Receive().status());
  process_->is_working = false;
  return absl::OkStatus();
}

absl::StatusOr<RoleId> HoldOwner(RelationId relation) {
  return pg::CallFor([relation] {
    LockRelationOid(relation, AccessShareLock);
    return OwnerOf(relation);
  });
}

absl::Status CheckIsCommitted(const std::vector<RelationId>& relations) {
  for (const RelationId relation : relations) {
    const char* name = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      if (IsChangedHere(relation)) name = get_rel_name(relation);
    }));
    if (name == nullptr) continue;
    return pg::MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.message = "cannot evaluate the query of a TVIEW in the transaction that has created or "
                    "altered it or what it reads",
         .detail = std::string("This transaction has created or altered relation \"") + name +
                   "\", and the query is evaluated as of what is committed.",
         .hint = "Commit the transaction first.",
         .sqlstate = "25001"});
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
