#include "worker/batch/deadlines.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/definition_clock.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

namespace tviews::worker {
namespace {

constexpr Timestamp kMillisecond = 1000;
constexpr Timestamp kMinute = 60 * Timestamp{1000000};
// So far ahead the next deadline is looked for; later ones are looked for again by then.
constexpr Timestamp kHorizon = 60 * kMinute;
// Local time goes back, where it does, at the beginning of a quarter of an hour.
constexpr Timestamp kQuarter = 15 * kMinute;

// The row that `sql` returns, if any, evaluated as the owner at `time`.
absl::StatusOr<std::optional<pg::SqlRow>> Evaluate(const TviewDefinition& tview,
                                                   const std::string& sql, Timestamp time) {
  const pg::FrontierTimeScope frontier_time(time);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_ASSIGN_OR_RETURN(pg::SqlResult result,
                          pg::ExecuteDefinition(sql, {}, pg::SqlSnapshot::kActive));
  if (result.rows.empty()) return std::optional<pg::SqlRow>();
  return std::optional<pg::SqlRow>(std::move(result.rows.front()));
}

// As text that any settings read alike.
std::string AsText(const std::string& expression) {
  return absl::StrCat("to_json(", expression, ") #>> '{}'");
}

std::string Constant(const std::string& text, const std::string& type) {
  return absl::StrCat("CAST(", QuoteLiteral(text), " AS ", type, ")");
}

absl::StatusOr<std::string> ClockText(const TviewDefinition& tview, const std::string& clock,
                                      Timestamp time) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::SqlRow> row,
                          Evaluate(tview, "SELECT " + AsText(clock), time));
  return row.has_value() ? row->at(0).value_or("") : "";
}

}  // namespace

absl::Status Deadlines::Load(const DependencyGraph& graph) {
  deadlines_.clear();
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSql(
          "SELECT m.tview::oid, d.n, q.k, d.j ->> 'clock', d.j ->> 'type', d.j ->> 'row',"
          " d.j ->> 'row_type', d.j ->> 'rough', d.j ->> 'table', d.j ->> 'reached' = 'true',"
          " d.j ->> 'passed' = 'true', d.j ->> 'back' = 'true', q.j ->> 'before', q.j ->> 'after',"
          " q.j ->> 'whole' = 'true' FROM " +
              meta +
              " m, jsonb_array_elements(m.options -> 'deadlines') WITH ORDINALITY"
              " AS d (j, n), jsonb_array_elements(d.j -> 'queries') WITH ORDINALITY"
              " AS q (j, k) ORDER BY 1, 2, 3",
          {}, pg::SqlSnapshot::kActive));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    Deadline deadline;
    deadline.tview = column.Oid();
    column.Skip(1);
    const bool is_first = column.Number<std::int64_t>() == 1;
    deadline.clock = column.TextOrNothing();
    deadline.type = column.TextOrNothing();
    deadline.row = column.TextOrNothing();
    deadline.row_type = column.TextOrNothing();
    deadline.rough = column.TextOrNothing();
    deadline.table = column.TextOrNothing();
    deadline.when_reached = column.IsTrue();
    deadline.when_passed = column.IsTrue();
    deadline.may_go_back = column.IsTrue();
    Query query;
    query.before = column.TextOrNothing();
    query.after = column.TextOrNothing();
    query.is_whole = column.IsTrue();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (is_first) deadlines_.push_back(std::move(deadline));
    deadlines_.back().queries.push_back(std::move(query));
  }
  std::erase_if(deadlines_, [&graph](const Deadline& deadline) {
    return graph.Find(deadline.tview) == nullptr;
  });
  return absl::OkStatus();
}

// Where the row's side is a moment made of local time: `condition` with one before it on local
// time, which an index serves, and which holds for all rows near the two moments, wherever local
// time jumps in between. Dates far from these are no moments at all.
std::string Deadlines::Near(const Deadline& deadline, const std::string& low,
                            const std::string& high, const std::string& condition) {
  if (deadline.rough.empty()) return condition;
  const std::string near = absl::StrCat(
      "(", deadline.rough, ") >= CAST(", low, " AS timestamp) - interval '26 hours' AND (",
      deadline.rough, ") <= CAST(", high, " AS timestamp) + interval '26 hours'");
  return absl::StrCat(near, " AND CASE WHEN ", near, " THEN ", condition, " END");
}

bool Deadlines::Has(RelationId tview) const {
  return std::any_of(deadlines_.begin(), deadlines_.end(),
                     [tview](const Deadline& deadline) { return deadline.tview == tview; });
}

bool Deadlines::AnyDue(Timestamp time) const {
  return std::any_of(deadlines_.begin(), deadlines_.end(), [time](const Deadline& deadline) {
    return !deadline.is_known || (deadline.due != 0 && deadline.due <= time);
  });
}

absl::Status Deadlines::AddPassed(const TviewDefinition& tview, Timestamp from, Timestamp to,
                                  RefreshExecutor* executor, AffectedKeys* affected) const {
  for (const Deadline& deadline : deadlines_) {
    if (deadline.tview != tview.relation || affected->everything) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string low, ClockText(tview, deadline.clock, from));
    TVIEWS_ASSIGN_OR_RETURN(const std::string high, ClockText(tview, deadline.clock, to));
    if (low == high) continue;
    const std::string from_value = Constant(low, deadline.type);
    const std::string to_value = Constant(high, deadline.type);
    const std::string condition = Near(
        deadline, absl::StrCat("least(", from_value, ", ", to_value, ")"),
        absl::StrCat("greatest(", from_value, ", ", to_value, ")"),
        absl::StrCat("(", deadline.row, ") BETWEEN SYMMETRIC ", from_value, " AND ", to_value));
    for (const Query& query : deadline.queries) {
      const std::string sql = absl::StrCat(query.before, condition, query.after);
      if (query.is_whole) {
        TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::SqlRow> row, Evaluate(tview, sql, to));
        if (!row.has_value()) continue;
        affected->everything = true;
        affected->why = "a deadline has passed";
        break;
      }
      TVIEWS_RETURN_IF_ERROR(
          executor->keys().SelectKeys(tview, sql, std::nullopt, [affected](std::string_view key) {
            affected->keys.emplace(key);
            affected->is_touched = true;
          }));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Timestamp> Deadlines::DueAfter(const TviewDefinition& tview, Timestamp time,
                                              Deadline* next) {
  const Deadline& deadline = *next;
  // Where local time goes back, rows change that come next by no order.
  const Timestamp at_most = deadline.may_go_back ? NextTick(time, kQuarter) : time + kHorizon;
  const bool looks_near = !deadline.rough.empty();
  const Timestamp otherwise = deadline.may_go_back || looks_near ? at_most : 0;
  TVIEWS_ASSIGN_OR_RETURN(const std::string now, ClockText(tview, deadline.clock, time));
  const std::string now_value = Constant(now, deadline.type);
  const std::string is_next =
      Near(deadline, now_value, absl::StrCat("(", now_value, " + interval '1 hour')"),
           absl::StrCat("(", deadline.row, ") ", deadline.when_passed ? ">= " : "> ", now_value,
                        " AND (", deadline.row, ") < ", Constant("infinity", deadline.row_type)));
  TVIEWS_ASSIGN_OR_RETURN(
      const std::optional<pg::SqlRow> found,
      Evaluate(tview,
               absl::StrCat("SELECT ", AsText(deadline.row), " FROM ", deadline.table,
                            " AS r WHERE ", is_next, " ORDER BY ", deadline.row, " LIMIT 1"),
               time));
  if (!found.has_value() || !found->at(0).has_value()) return otherwise;
  const std::string value = Constant(*found->at(0), deadline.row_type);
  // Most batches change nothing of what comes next.
  if (value == deadline.next_value && deadline.next_at > time) return deadline.next_at;
  next->next_value = value;
  next->next_at = 0;
  const std::string question = absl::StrCat(
      "SELECT ", deadline.when_reached, "::int::bool AND (", deadline.clock, ") >= ", value, ", ",
      deadline.when_passed, "::int::bool AND (", deadline.clock, ") > ", value);
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::SqlRow> before, Evaluate(tview, question, time));
  Timestamp low = time;
  Timestamp high = at_most;
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::SqlRow> after, Evaluate(tview, question, high));
  if (after == before) return high;
  while (high - low > kMillisecond) {
    const Timestamp middle = ClockAt(low + (high - low) / 2, kMillisecond);
    if (middle <= low) break;
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::SqlRow> then,
                            Evaluate(tview, question, middle));
    (then == before ? low : high) = middle;
  }
  next->next_at = high;
  return high;
}

absl::Status Deadlines::FindNext(const DependencyGraph& graph, Timestamp time) {
  for (Deadline& deadline : deadlines_) {
    const TviewDefinition* const tview = graph.Find(deadline.tview);
    deadline.is_known = true;
    deadline.due = 0;
    if (tview == nullptr || tview->is_quarantined) continue;
    Timestamp due = time + kMinute;
    const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
      TVIEWS_ASSIGN_OR_RETURN(due, DueAfter(*tview, ClockAt(time, kMillisecond), &deadline));
      return absl::OkStatus();
    });
    if (pg::HasSqlState(status, "57014")) return status;
    deadline.due = due;
  }
  return absl::OkStatus();
}

Timestamp Deadlines::NextDue() const {
  Timestamp next = 0;
  for (const Deadline& deadline : deadlines_) {
    if (deadline.due != 0 && (next == 0 || deadline.due < next)) next = deadline.due;
  }
  return next;
}

}  // namespace tviews::worker
