// An evaluator process: runs statements of definitions, as their owners, for one session.
//
// It is a process that no role has prepared: no temporary objects, the settings of an applier. It
// is in the session's lock group, so that neither waits for the other's locks.
#include <optional>
#include <string>

#include "shared/evaluation.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_code.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/worker_process.h"
#include "shared/pg/evaluation/evaluator_segment.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/status_macros.h"
#include "worker/batch/pinned_settings.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <libpq/pqsignal.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <storage/dsm.h>
#include <storage/ipc.h>
#include <storage/proc.h>
#include <storage/shm_mq.h>
#include <storage/shm_toc.h>
#include <tcop/tcopprot.h>
#include <utils/backend_status.h>
#include <utils/guc.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

TVIEWS_EXPORT void tviews_evaluator_main(Datum segment);

namespace tviews::worker {
namespace {

struct Station {
  shm_mq_handle* requests;
  shm_mq_handle* answers;
};

shm_mq* QueueAt(shm_toc* toc, std::uint64_t key) {
  return reinterpret_cast<shm_mq*>(static_cast<char*>(shm_toc_lookup(toc, key, false)));
}

// False: the session has gone.
bool Connect(dsm_handle handle, Station* station) {
  pg::BecomeWorker();
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  dsm_segment* const segment = dsm_attach(handle);
  if (segment == nullptr) return false;
  shm_toc* const toc = shm_toc_attach(pg::kEvaluatorMagic, dsm_segment_address(segment));
  if (toc == nullptr) return false;
  const auto& shared =
      *static_cast<pg::EvaluatorShared*>(shm_toc_lookup(toc, pg::kEvaluatorKey, false));
  shm_mq* const requests = QueueAt(toc, pg::kRequestsKey);
  shm_mq* const answers = QueueAt(toc, pg::kAnswersKey);
  shm_mq_set_receiver(requests, MyProc);
  shm_mq_set_sender(answers, MyProc);
  station->requests = shm_mq_attach(requests, segment, nullptr);
  station->answers = shm_mq_attach(answers, segment, nullptr);
  if (!BecomeLockGroupMember(shared.session, shared.session_pid)) return false;
  BackgroundWorkerInitializeConnectionByOid(shared.database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
  pg::WatchUserCode();
  PinSettings();
  char timeout[32];
  pg_snprintf(timeout, sizeof(timeout), "%d", shared.lock_timeout);
  SetConfigOption("lock_timeout", timeout, PGC_SUSET, PGC_S_OVERRIDE);
  SetConfigOption("application_name", "pg_tviews evaluator", PGC_USERSET, PGC_S_SESSION);
  return true;
}

// The next message of the session; nothing if the session has gone.
absl::StatusOr<std::optional<std::string>> Receive(const Station& station) {
  Size size = 0;
  void* data = nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const shm_mq_result result, pg::CallFor([&] {
                            return shm_mq_receive(station.requests, &size, &data, false);
                          }));
  if (result != SHM_MQ_SUCCESS) return std::nullopt;
  return std::string(static_cast<const char*>(data), size);
}

// A session that has gone is noticed by the next Receive.
absl::Status Send(const Station& station, const std::string& answer, bool is_last) {
  return pg::Call(
      [&] { shm_mq_send(station.answers, answer.size(), answer.data(), false, is_last); });
}

absl::StatusOr<pg::SqlResult> Run(const Evaluation& evaluation) {
  std::optional<pg::PageCostsOfBatch> costs;
  std::optional<pg::KeyPlanning> planning;
  if (evaluation.with_batch_costs) costs.emplace();
  if (evaluation.with_key_planning) planning.emplace();
  if (evaluation.owner == 0) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    return pg::ExecuteSql(evaluation.sql, evaluation.parameters);
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(evaluation.owner, evaluation.settings));
  return pg::ExecuteSql(evaluation.sql, evaluation.parameters);
}

absl::Status Answer(const Station& station, const std::string& message) {
  const std::optional<Evaluation> evaluation = DecodeEvaluation(message);
  if (!evaluation.has_value()) {
    return absl::InternalError("an evaluator was given an unreadable statement");
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result, Run(*evaluation));
  for (const pg::SqlRow& row : result.rows) {
    TVIEWS_RETURN_IF_ERROR(Send(station, EncodeRow(row), false));
  }
  return Send(station, EncodeEnd({.processed = result.processed}), true);
}

// Everything up to the next end of a snapshot. Nothing: the session has gone.
absl::Status AnswerAll(const Station& station, std::optional<std::string>* message) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
  while (message->has_value() && **message != kEndSnapshot) {
    TVIEWS_RETURN_IF_ERROR(Answer(station, **message));
    TVIEWS_ASSIGN_OR_RETURN(*message, Receive(station));
  }
  return pg::Call([] { PopActiveSnapshot(); });
}

// Exit code.
absl::StatusOr<int> Main(dsm_handle handle) {
  Station station{};
  TVIEWS_ASSIGN_OR_RETURN(const bool is_connected,
                          pg::CallFor([&] { return Connect(handle, &station); }));
  if (!is_connected) return 0;
  for (;;) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { pgstat_report_activity(STATE_IDLE, nullptr); }));
    TVIEWS_ASSIGN_OR_RETURN(std::optional<std::string> message, Receive(station));
    if (!message.has_value()) return 0;
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([] { pgstat_report_activity(STATE_RUNNING, "pg_tviews evaluator"); }));
    const absl::Status status = pg::RunTransaction([&] { return AnswerAll(station, &message); });
    if (!status.ok()) {
      TVIEWS_RETURN_IF_ERROR(Send(station,
                                  EncodeFailure({.sqlstate = pg::SqlState(status),
                                                 .message = std::string(status.message()),
                                                 .detail = pg::ErrorDetail(status),
                                                 .hint = pg::ErrorHint(status)}),
                                  true));
      return 0;
    }
    if (!message.has_value()) return 0;
    TVIEWS_RETURN_IF_ERROR(Send(station, EncodeEnd({}), true));
  }
}

}  // namespace
}  // namespace tviews::worker

void tviews_evaluator_main(Datum segment) {
  const int code =
      tviews::pg::Enter<int>([segment] { return tviews::worker::Main(DatumGetUInt32(segment)); });
  proc_exit(code);
}
