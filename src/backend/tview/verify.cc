#include "backend/tview/verify.h"

#include <optional>
#include <utility>

#include "backend/capture/transaction.h"
#include "backend/evaluation/evaluator.h"
#include "backend/reading/waiting.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "backend/tview/online_fill.h"
#include "backend/tview/verify_states.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/dead_letter.h"
#include "shared/pg/shmem/wait_events.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/graph_loader.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <storage/latch.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include <utils/timestamp.h>
#include <utils/wait_event.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// How long snapshots are tried before the answer is that the appliers are behind.
constexpr int kPatienceMs = 30 * 1000;
constexpr int kPauseMs = 1;

// Returns at once after an interrupt that is not an error, which does no harm.
absl::Status Pause() {
  return pg::Call([] {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPauseMs,
              pg::WaitEvent(pg::Wait::kFrontier));
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

absl::Status TooFarBehind() {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string outbox, pg::QualifiedTable(pg::CatalogTable::kOutbox));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult waiting,
                          pg::ExecuteSqlLatest("SELECT count(*) FROM " + outbox));
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "could not verify the TVIEW: there was always a change not yet applied",
       .detail = "Transactions that wait in the outbox now: " + *waiting.rows[0][0] + ".",
       .hint = "Try again when fewer changes are written; pg_tviews_health_check() tells whether "
               "an applier is stuck."});
}

// True if the evaluator's snapshot is one at which the TVIEW contains all that the query would see.
absl::StatusOr<bool> IsExact(RelationId tview, Evaluator* evaluator) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string outbox, pg::QualifiedTable(pg::CatalogTable::kOutbox));
  TVIEWS_ASSIGN_OR_RETURN(const std::string behind, ExtensionObject("pg_tview_behind"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string owed, pg::QualifiedTable(pg::CatalogTable::kLaneOwed));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      evaluator->Run({.sql = "SELECT WHERE NOT EXISTS (SELECT FROM " + outbox +
                             ") AND NOT EXISTS (SELECT FROM " + behind +
                             " WHERE tview = $1::oid) AND NOT EXISTS (SELECT FROM " + owed +
                             " AS o JOIN " + meta +
                             " AS m ON m.options ->> 'lane' = o.lane"
                             " WHERE m.tview = $1::oid)",
                      .parameters = {std::to_string(tview)}}));
  return found.processed == 1;
}

absl::Status AwaitExactSnapshot(RelationId tview, Evaluator* evaluator) {
  const TimestampTz start = GetCurrentTimestamp();
  bool has_waited = false;
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_exact, IsExact(tview, evaluator));
    if (is_exact) return absl::OkStatus();
    TVIEWS_RETURN_IF_ERROR(evaluator->EndSnapshot());
    if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), kPatienceMs)) {
      return TooFarBehind();
    }
    TVIEWS_RETURN_IF_ERROR(has_waited ? Pause() : WaitForBatch(tview, ReadTimeout()));
    has_waited = true;
  }
}

// A column of the key: its name, quoted, and how it is compared and printed.
struct ComparedColumn {
  std::string name;
  std::string equality;
  bool is_number = false;
};

// "e.key1, s.key1" as text, for people: of several columns a JSON object, as dead letters have it.
std::string KeyText(const TviewFacts& tview, const std::vector<ComparedColumn>& columns) {
  const auto value = [](std::size_t i) {
    const std::string number = std::to_string(i + 1);
    return "coalesce(e.key" + number + ", s.key" + number + ")::text";
  };
  if (columns.size() == 1) return value(0);
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    text += (i == 0 ? "'{' || to_json(" : " || ', ' || to_json(") +
            QuoteLiteral(tview.key_columns[i]) + "::text) || ': ' || coalesce(" +
            (columns[i].is_number ? value(i) : "to_json(" + value(i) + ")::text") + ", 'null')";
  }
  return text + " || '}'";
}

// The query's rows are numbered within their key, so that a key that it returns twice does not hide
// behind the row that it equals. A composite key of NULLs "is null", but is not NULL. A whole row
// is a `t.*` that is cast: the bare name of a table may be that of one of its columns.
std::string Comparison(const TviewFacts& tview, const std::vector<ComparedColumn>& columns) {
  std::string stored;
  std::string expected;
  std::string partition;
  std::string equal;
  std::string keys;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ComparedColumn& column = columns[i];
    const std::string key = "key" + std::to_string(i + 1);
    stored += "t." + column.name + " AS " + key + ", ";
    expected += "v." + column.name + " AS " + key + ", ";
    partition += (i == 0 ? "v." : ", v.") + column.name;
    equal += "s." + key + " " + column.equality + " e." + key + " AND ";
    keys += (i == 0 ? "e." : ", e.") + key;
  }
  return "SELECT " + KeyText(tview, columns) +
         ", CASE WHEN e.n IS NULL THEN 'extra' WHEN num_nulls(" + keys +
         ") > 0 THEN 'null key'"
         " WHEN e.n > 1 THEN 'duplicate key' WHEN s.n IS NULL THEN 'missing'"
         " ELSE 'different' END,"
         " to_jsonb(s.content), to_jsonb(e.content)"
         " FROM (SELECT " +
         stored + "1::bigint AS n, t.*::" + tview.table + " AS content FROM ONLY " + tview.table +
         " AS t) AS s"
         " FULL JOIN (SELECT " +
         expected + "row_number() OVER (PARTITION BY " + partition + ") AS n, v.*::" + tview.view +
         " AS content FROM " + tview.view + " AS v) AS e ON " + equal +
         "s.n = e.n"
         " WHERE s.n IS NULL OR e.n IS NULL OR s.content *<> e.content"
         " ORDER BY 1";
}

absl::StatusOr<std::vector<ComparedColumn>> ComparedColumns(const TviewFacts& tview) {
  std::vector<ComparedColumn> columns;
  for (const std::string& name : tview.key_columns) {
    TVIEWS_ASSIGN_OR_RETURN(const TypeId type, pg::CallFor([&] {
                              return get_atttype(tview.relation,
                                                 get_attnum(tview.relation, name.c_str()));
                            }));
    ComparedColumn& column = columns.emplace_back();
    column.name = QuoteIdentifier(name);
    column.is_number = type == INT2OID || type == INT4OID || type == INT8OID;
    TVIEWS_ASSIGN_OR_RETURN(column.equality, pg::KeyEquality(type));
  }
  return columns;
}

absl::Status CheckMayRead(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const bool may_read, pg::CallFor([&] {
                            return pg_class_aclcheck(tview.relation, GetUserId(), ACL_SELECT) ==
                                   ACLCHECK_OK;
                          }));
  if (may_read) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kPermissionDenied,
                       {.message = "permission denied for table " + tview.table});
}

std::vector<RelationId> RelationsOf(const TviewFacts& tview) {
  std::vector<RelationId> relations = tview.dependencies;
  relations.push_back(tview.relation);
  relations.push_back(tview.backing_view);
  return relations;
}

}  // namespace

absl::StatusOr<std::vector<pg::SqlRow>> VerifyTview(const std::string& text) {
  TVIEWS_RETURN_IF_ERROR(CheckHasNoChanges("verify a TVIEW"));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, FindTview(text));
  TVIEWS_ASSIGN_OR_RETURN(const RoleId owner, HoldOwner(relation));
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts tview, ReadTviewFacts(relation));
  TVIEWS_RETURN_IF_ERROR(CheckMayRead(tview));
  TVIEWS_RETURN_IF_ERROR(CheckPopulated(relation));
  TVIEWS_RETURN_IF_ERROR(CheckIsCommitted(RelationsOf(tview)));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<ComparedColumn> columns, ComparedColumns(tview));
  TVIEWS_ASSIGN_OR_RETURN(Evaluator evaluator, Evaluator::Start());
  TVIEWS_RETURN_IF_ERROR(AwaitExactSnapshot(relation, &evaluator));
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(relation));
  absl::StatusOr<pg::SqlResult> result =
      evaluator.Run({.owner = owner,
                     .settings = tview.settings,
                     .sql = Comparison(tview, columns),
                     .lane = state.has_value() ? state->lane : kMainLane});
  if (!result.ok()) return pg::WithHintToDeadLetters(result.status());
  TVIEWS_RETURN_IF_ERROR(VerifyGroupStates(relation, tview.settings, &evaluator, &result->rows));
  TVIEWS_RETURN_IF_ERROR(evaluator.EndSnapshot());
  return std::move(result->rows);
}

}  // namespace tviews::backend
