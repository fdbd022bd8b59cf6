// An evaluator process: runs statements of definitions, as their owners, for one session.
//
// It is a process that no role has prepared: no temporary objects, the settings of an applier. It
// is in the session's lock group, so that neither waits for the other's locks.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
#include "shared/pg/planner/group_reading.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/pg/planner/planned_cost.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/pg/tables/frontier.h"
#include "shared/status_macros.h"
#include "worker/batch/pinned_settings.h"
#include "worker/evaluator/kept_states.h"

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

enum class Flush : std::uint8_t { kNow, kLater };

// The session's ends of the queues.
struct Session {
  shm_mq_handle* requests;
  shm_mq_handle* answers;
};

shm_mq* QueueAt(shm_toc* toc, std::uint64_t key) {
  return reinterpret_cast<shm_mq*>(static_cast<char*>(shm_toc_lookup(toc, key, false)));
}

// False: the session has gone.
bool Connect(dsm_handle handle, Session* session) {
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
  session->requests = shm_mq_attach(requests, segment, nullptr);
  session->answers = shm_mq_attach(answers, segment, nullptr);
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
absl::StatusOr<std::optional<std::string>> Receive(const Session& session) {
  Size size = 0;
  void* data = nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const shm_mq_result result, pg::CallFor([&] {
                            return shm_mq_receive(session.requests, &size, &data, false);
                          }));
  if (result != SHM_MQ_SUCCESS) return std::nullopt;
  return std::string(static_cast<const char*>(data), size);
}

// A session that has gone is noticed by the next Receive.
absl::Status Send(const Session& session, const std::string& answer, Flush flush) {
  return pg::Call([&] {
    shm_mq_send(session.answers, answer.size(), answer.data(), false, flush == Flush::kNow);
  });
}

struct Outcome {
  pg::SqlResult result;
  double cost = 0;
};

// As the user that has been chosen.
absl::StatusOr<Outcome> Execute(const Evaluation& evaluation) {
  const pg::SqlParameters parameters(evaluation.parameters.begin(), evaluation.parameters.end());
  Outcome outcome;
  if (evaluation.is_planned_only) {
    TVIEWS_RETURN_IF_ERROR(pg::WithSpi(
        [&] { return pg::Call([&] { outcome.cost = pg::PlannedCost(evaluation.sql.c_str()); }); }));
    return outcome;
  }
  TVIEWS_ASSIGN_OR_RETURN(outcome.result, evaluation.owner == 0
                                              ? pg::ExecuteSql(evaluation.sql, parameters)
                                              : pg::ExecuteDefinition(evaluation.sql, parameters));
  return outcome;
}

absl::StatusOr<Outcome> Run(const Evaluation& evaluation) {
  std::optional<pg::PageCostsOfBatch> costs;
  std::optional<pg::KeyPlanning> planning;
  if (evaluation.with_batch_costs) costs.emplace();
  if (evaluation.with_key_planning) planning.emplace();
  std::optional<KeptStates> kept;
  std::vector<pg::UsableState> usable;
  if (evaluation.with_states_of != 0) {
    TVIEWS_ASSIGN_OR_RETURN(kept, KeptStates::Load(evaluation.with_states_of));
    usable = kept->Usable();
  }
  const pg::GroupStateUse use(usable.data(), static_cast<int>(usable.size()));
  if (evaluation.owner == 0) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    return Execute(evaluation);
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(evaluation.owner, evaluation.settings));
  return Execute(evaluation);
}

absl::Status Answer(const Session& session, const std::string& message) {
  const std::optional<Evaluation> evaluation = DecodeEvaluation(message);
  if (!evaluation.has_value()) {
    return absl::InternalError("an evaluator was given an unreadable statement");
  }
  TVIEWS_ASSIGN_OR_RETURN(const Timestamp time,
                          pg::ReadFrontierTime(GetActiveSnapshot(), evaluation->lane));
  const pg::FrontierTimeScope frontier_time(time);
  TVIEWS_ASSIGN_OR_RETURN(const Outcome outcome, Run(*evaluation));
  for (const pg::SqlRow& row : outcome.result.rows) {
    TVIEWS_RETURN_IF_ERROR(Send(session, EncodeRow(row), Flush::kLater));
  }
  return Send(session, EncodeEnd({.processed = outcome.result.processed, .cost = outcome.cost}),
              Flush::kNow);
}

// Everything up to the next end of a snapshot. Nothing: the session has gone.
absl::Status AnswerAll(const Session& session, std::optional<std::string>* message) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
  while (message->has_value() && **message != kEndSnapshot) {
    TVIEWS_RETURN_IF_ERROR(Answer(session, **message));
    TVIEWS_ASSIGN_OR_RETURN(*message, Receive(session));
  }
  return pg::Call([] { PopActiveSnapshot(); });
}

// Exit code.
absl::StatusOr<int> Main(dsm_handle handle) {
  Session session{};
  TVIEWS_ASSIGN_OR_RETURN(const bool is_connected,
                          pg::CallFor([&] { return Connect(handle, &session); }));
  if (!is_connected) return 0;
  for (;;) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { pgstat_report_activity(STATE_IDLE, nullptr); }));
    TVIEWS_ASSIGN_OR_RETURN(std::optional<std::string> message, Receive(session));
    if (!message.has_value()) return 0;
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([] { pgstat_report_activity(STATE_RUNNING, "pg_tviews evaluator"); }));
    const absl::Status status = pg::RunTransaction([&] { return AnswerAll(session, &message); });
    if (!status.ok()) {
      TVIEWS_RETURN_IF_ERROR(Send(session,
                                  EncodeFailure({.sqlstate = pg::SqlState(status),
                                                 .message = std::string(status.message()),
                                                 .detail = pg::ErrorDetail(status),
                                                 .hint = pg::ErrorHint(status)}),
                                  Flush::kNow));
      return 0;
    }
    if (!message.has_value()) return 0;
    TVIEWS_RETURN_IF_ERROR(Send(session, EncodeEnd({}), Flush::kNow));
  }
}

}  // namespace
}  // namespace tviews::worker

void tviews_evaluator_main(Datum segment) {
  const int code =
      tviews::pg::Enter<int>([segment] { return tviews::worker::Main(DatumGetUInt32(segment)); });
  proc_exit(code);
}
