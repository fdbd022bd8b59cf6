#include "worker/batch/online_fills.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shared/key_slices.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/row_estimate.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_watch.h"
#include "worker/refresh/key_values.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Other TVIEWs wait as long as the slices of a batch take.
constexpr Timestamp kSlicesOfBatch = 20 * Timestamp{1000};
constexpr std::size_t kFirstSlice = 1024;
constexpr std::size_t kSmallestSlice = 16;
// Below this a slice is shortened only if it takes many times too long: what it takes besides its
// keys, on a machine that is busy, would stay.
constexpr std::size_t kUsualSlice = 256;
constexpr Timestamp kMuchTooLong = 5;
constexpr std::size_t kLargestSlice = 8192;

// So often a fill begins again for changes of everything; then it is done in one go, as such a
// change of a TVIEW that is filled is.
constexpr std::uint64_t kMostRestarts = 3;

// To begin with each slice may cost so many times as much as everything.
constexpr double kMostForKeys = 2;

// So often a slice fails for what may pass, before its rows are told apart.
constexpr int kMostFailures = 5;

// After a batch that could do nothing, for want of a lock, or because all of them stand still.
constexpr Timestamp kAfterObstacle = 100 * Timestamp{1000};
constexpr Timestamp kAtStandstill = 1000 * Timestamp{1000};

// What a mark is made of: after a change of type it says nothing.
std::string MarkTypes(const TviewDefinition& tview) {
  std::string types = "{";
  for (const KeyColumn& column : tview.key) {
    absl::StrAppend(&types, types.size() > 1 ? "," : "", column.type);
  }
  return types + "}";
}

// What fails for a row, or may, is repeated with its slice: otherwise the repetition would find
// nothing that fails, and the next batch fail as this one did.
bool IsObstacle(Ending ending) {
  return ending == Ending::kOutdated || ending == Ending::kLockInTheWay || IsInterruption(ending);
}

std::string NumberOrEmpty(const std::optional<std::uint64_t>& number) {
  return number.has_value() ? std::to_string(*number) : "";
}

}  // namespace

absl::StatusOr<bool> AnyFill() {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_here, pg::HasCatalogTable(pg::CatalogTable::kFill));
  if (!is_here) return false;
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kFill));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSql(absl::StrCat("SELECT FROM ", table, " WHERE completed_by IS NULL LIMIT 1"), {},
                     pg::SqlSnapshot::kActive));
  return result.processed > 0;
}

absl::Status OnlineFills::BeginBatch(const DependencyGraph& graph, std::uint64_t loads,
                                     const Standings& standings) {
  steps_.clear();
  is_due_ = false;
  candidates_ = 0;
  if (loads == loads_ && fills_.empty()) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(Read(graph));
  // Whoever has created one may wait for this batch: what is small is filled in it.
  const bool may_be_new = loads != loads_ && pg::settings::fill_budget > 0;
  bool has_new = false;
  loads_ = loads;
  for (const auto& [tview, fill] : fills_) {
    const TviewDefinition& definition = *graph.Find(tview);
    const bool stands = definition.is_quarantined || standings.IsBehind(tview) ||
                        !standings.ObstacleTo(definition, graph, GetCurrentTimestamp()).empty();
    if (!stands) ++candidates_;
    has_new = has_new || (may_be_new && !stands && IsToBegin(tview));
  }
  is_due_ = has_new || (candidates_ > 0 && DueMs() == 0);
  return absl::OkStatus();
}

absl::Status OnlineFills::Read(const DependencyGraph& graph) {
  fills_.clear();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kFill));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSql(absl::StrCat("SELECT tview::oid, in_one_go, mark IS NOT NULL, mark,"
                                  " coalesce(mark_types::text, ''), rows_done, rows_expected,"
                                  " restarts FROM ",
                                  table, " WHERE completed_by IS NULL"),
                     {}, pg::SqlSnapshot::kActive));
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    Progress fill;
    const RelationId tview = column.Oid();
    fill.in_one_go = column.IsTrue();
    const bool has_mark = column.IsTrue();
    const std::string mark = column.OptionalText().value_or("");
    const std::string types = column.Text();
    fill.rows_done = column.Number<std::uint64_t>();
    fill.rows_expected = column.OptionalNumber<std::uint64_t>();
    fill.restarts = column.Number<std::uint64_t>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    const TviewDefinition* const definition = graph.Find(tview);
    if (definition == nullptr) continue;
    if (has_mark && types == MarkTypes(*definition)) {
      fill.mark = mark;
    } else {
      fill.rows_done = 0;
    }
    fills_.emplace(tview, std::move(fill));
  }
  return absl::OkStatus();
}

bool OnlineFills::IsNext(RelationId tview) const { return is_due_ && Has(tview); }

bool OnlineFills::IsToBegin(RelationId tview) const {
  const auto found = fills_.find(tview);
  return found != fills_.end() && !found->second.rows_expected.has_value();
}

Trust OnlineFills::TrustIn(RelationId tview) const {
  const auto found = failures_.find(tview);
  return found != failures_.end() && found->second >= kMostFailures ? Trust::kExhausted
                                                                    : Trust::kPatient;
}

bool OnlineFills::MustBeApart() const {
  return is_due_ && std::any_of(failures_.begin(), failures_.end(), [this](const auto& entry) {
           return TrustIn(entry.first) == Trust::kExhausted;
         });
}

long OnlineFills::DueMs() const {
  if (fills_.empty() || pg::settings::fill_budget <= 0) return -1;
  return static_cast<long>(std::max<Timestamp>(0, (DueAt() - GetCurrentTimestamp() + 999) / 1000));
}

Timestamp OnlineFills::DueAt() const {
  const double budget = std::max(pg::settings::fill_budget, 0.001);
  const auto rest = static_cast<Timestamp>(static_cast<double>(used_) * (1 - budget) / budget);
  return std::max(due_at_, ended_at_ + rest);
}

bool OnlineFills::IsWaiting(const TviewDefinition& tview) const {
  return std::any_of(tview.sources.begin(), tview.sources.end(),
                     [this](const SourceLineage& source) { return Has(source.source); });
}

absl::StatusOr<AffectedKeys> OnlineFills::Extend(const TviewDefinition& tview,
                                                 AffectedKeys affected, const Request& request,
                                                 RefreshExecutor* executor) {
  if (IsWaiting(tview)) return AffectedKeys{};
  Step step;
  step.next = fills_.at(tview.relation);
  step.began_at = GetCurrentTimestamp();
  if (request.mode == BatchMode::kTogether) {
    TVIEWS_ASSIGN_OR_RETURN(affected,
                            ExtendTo(tview, std::move(affected), request, executor, &step));
  } else {
    // The next keys cannot be found: everything is compared, as after a lookup that fails.
    const Step before = step;
    const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
      TVIEWS_ASSIGN_OR_RETURN(affected, ExtendTo(tview, affected, request, executor, &step));
      return absl::OkStatus();
    });
    if (!status.ok()) {
      if (!IsAgainstTheData(BatchWatch::EndingOf(status), Trust::kPatient)) return status;
      step = before;
      affected = AffectedKeys{};
      affected.everything = true;
      affected.why = "the next keys of its fill failed: " + std::string(status.message());
    }
  }
  if (affected.everything) step.is_last = true;
  step.found_at = GetCurrentTimestamp();
  steps_[tview.relation] = std::move(step);
  return affected;
}

absl::StatusOr<AffectedKeys> OnlineFills::ExtendTo(const TviewDefinition& tview,
                                                   AffectedKeys affected, const Request& request,
                                                   RefreshExecutor* executor, Step* step) {
  Progress& next = step->next;
  if (affected.everything) {
    if (request.is_requested || next.in_one_go || next.restarts >= kMostRestarts) return affected;
    if (next.mark.has_value()) ++next.restarts;
    next.mark.reset();
    next.rows_done = 0;
    next.rows_expected.reset();  // the definition may be another one
    affected = AffectedKeys{};
  } else if (next.mark.has_value()) {
    TVIEWS_ASSIGN_OR_RETURN(affected, KeysUpTo(tview, std::move(affected), *next.mark));
  } else {
    affected.keys.clear();
  }
  // Rows whose key is NULL are looked for at the end.
  affected.is_touched = affected.names_null = false;
  if (!is_due_ && !IsToBegin(tview.relation)) return affected;
  if (!next.rows_expected.has_value()) TVIEWS_RETURN_IF_ERROR(Plan(tview, executor, &next));
  if (next.in_one_go) {
    affected = AffectedKeys{};
    affected.everything = true;
    affected.why = "it is filled in one go";
    return affected;
  }
  TVIEWS_RETURN_IF_ERROR(AddSlice(tview, executor, step, &affected));
  return affected;
}

absl::Status OnlineFills::Plan(const TviewDefinition& tview, RefreshExecutor* executor,
                               Progress* progress) {
  // What one key costs, every slice costs besides its keys.
  TVIEWS_ASSIGN_OR_RETURN(const RefreshExecutor::FillEstimate estimate,
                          executor->EstimateFill(tview, NextKeysStatement(tview, true, 1)));
  progress->rows_expected = RowEstimate(estimate.rows);
  const double slices = std::max(1.0, estimate.rows / static_cast<double>(kFirstSlice));
  if (progress->in_one_go || estimate.cost_of_key * slices <= kMostForKeys * estimate.cost) {
    return absl::OkStatus();
  }
  progress->in_one_go = true;
  return pg::Call([&] {
    ereport(LOG, (errmsg("TVIEW %s is filled in one go", tview.qualified_name.c_str()),
                  errdetail("To find some keys after others, all of them have to be read: no index "
                            "has their order.")));
  });
}

absl::Status OnlineFills::AddSlice(const TviewDefinition& tview, RefreshExecutor* executor,
                                   Step* step, AffectedKeys* affected) {
  const std::size_t most = SliceOf(tview.relation);
  Progress& next = step->next;
  const std::string sql = NextKeysStatement(tview, !next.mark.has_value(), most);
  std::optional<std::string> last = next.mark;
  step->followed = affected->keys.size();
  TVIEWS_RETURN_IF_ERROR(
      executor->keys().SelectKeys(tview, sql, next.mark, [&](std::string_view image) {
        ++step->keys;
        last = std::string(image);
        affected->keys.emplace(image);
      }));
  next.mark = std::move(last);
  next.rows_done += step->keys;
  step->is_slice = true;
  step->is_last = step->keys < most;
  if (step->is_last) affected->is_touched = affected->names_null = true;
  return absl::OkStatus();
}

absl::Status OnlineFills::Note(const TviewDefinition& tview, std::uint64_t rows) {
  const auto found = steps_.find(tview.relation);
  if (found == steps_.end()) return absl::OkStatus();
  Step& step = found->second;
  Progress& fill = fills_.at(tview.relation);
  const bool is_news = step.is_slice || step.is_last || step.next.mark != fill.mark ||
                       step.next.restarts != fill.restarts;
  if (!is_news) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_mark"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kFill));
  Progress& next = step.next;
  if (step.is_last && !step.is_slice) next.rows_done = rows;
  const std::string completed =
      step.is_last ? ", completed_at = clock_timestamp(), completed_by = pg_current_xact_id()" : "";
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(
          absl::StrCat("UPDATE ", table,
                       " SET in_one_go = $2::boolean, mark = $3, mark_types = $4::oid[],"
                       " rows_done = $5::bigint, rows_expected = nullif($6, '')::bigint,"
                       " restarts = $7::integer, slices = slices + $8::integer,"
                       " started_at = coalesce(started_at, clock_timestamp())",
                       completed, " WHERE tview = $1::oid"),
          {absl::StrCat(tview.relation), next.in_one_go ? "true" : "false", pg::SqlBytes{next.mark},
           MarkTypes(tview), std::to_string(next.rows_done), NumberOrEmpty(next.rows_expected),
           std::to_string(next.restarts), step.is_slice ? "1" : "0"})
          .status());
  step.ended_at = GetCurrentTimestamp();
  if (!step.is_last) {
    fill = next;
    return absl::OkStatus();
  }
  // TVIEWs that read it, and come later in this batch, need not wait any longer.
  fills_.erase(tview.relation);
  return pg::InvalidateCatalog();
}

std::size_t OnlineFills::SliceOf(RelationId tview) const {
  const auto found = slices_.find(tview);
  if (found != slices_.end()) return found->second;
  return std::max(kSmallestSlice, kFirstSlice / std::max<std::size_t>(candidates_, 1));
}

// What follows changes takes its time whatever the slice is. Where finding the keys takes most of
// it, shorter slices would help nobody.
void OnlineFills::Adapt(RelationId tview, const Step& step) {
  if (!step.is_slice || step.ended_at == 0) return;
  const Timestamp share =
      kSlicesOfBatch / static_cast<Timestamp>(std::max<std::size_t>(candidates_, 1));
  const Timestamp finding = step.found_at - step.began_at;
  const auto keys = static_cast<Timestamp>(std::max<std::size_t>(step.keys, 1));
  const Timestamp refreshing =
      (step.ended_at - step.found_at) * keys / (keys + static_cast<Timestamp>(step.followed));
  const Timestamp total = finding + refreshing;
  std::size_t size = SliceOf(tview);
  const bool is_long = total > share;
  if (is_long && finding < total / 2) {
    const std::size_t least = total > kMuchTooLong * share ? kSmallestSlice : kUsualSlice;
    size = std::max(least, size / 2);
  } else if (is_long || total < share / 2) {
    size = std::min(kLargestSlice, size * 2);
  }
  slices_[tview] = size;
}

void OnlineFills::Rest(Timestamp now) {
  Timestamp used = 0;
  for (const auto& [tview, step] : steps_) {
    if (step.is_slice || step.is_last)
      used += std::max<Timestamp>(0, step.ended_at - step.began_at);
  }
  if (used > 0) {
    used_ = used;
    ended_at_ = now;
  } else if (DueAt() <= now) {
    due_at_ = now + (is_due_ ? kAfterObstacle : kAtStandstill);
  }
}

void OnlineFills::AfterCommit() {
  if (!any() && steps_.empty()) return;
  for (const auto& [tview, step] : steps_) {
    Adapt(tview, step);
    if (step.is_slice) failures_.erase(tview);
  }
  std::erase_if(failures_, [this](const auto& entry) { return !Has(entry.first); });
  std::erase_if(slices_, [this](const auto& entry) { return !Has(entry.first); });
  Rest(GetCurrentTimestamp());
}

void OnlineFills::AfterFailure(RelationId refreshing, Ending ending) {
  loads_ = 0;  // what is known of fills may be of the batch that failed
  const auto found = steps_.find(refreshing);
  if (found != steps_.end() && found->second.is_slice) {
    if (!IsObstacle(ending)) ++failures_[refreshing];
    slices_[refreshing] = std::max(kSmallestSlice, SliceOf(refreshing) / 4);
  }
  steps_.clear();
  if (!any() || !IsObstacle(ending)) return;
  due_at_ = std::max(due_at_, GetCurrentTimestamp() + kAfterObstacle);
}

}  // namespace tviews::worker
