#include "worker/batch/behind.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/lsyscache.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// More in one batch, and the source counts as changed as a whole.
constexpr std::size_t kOwedMemory = 1024 * 1024;
// So many rows of one TVIEW are united into one.
constexpr std::uint64_t kOwedRows = 64;

constexpr Timestamp kSecond = 1000000;
constexpr BackOff kAfterLock({.first = kSecond, .longest = 30 * kSecond});
// So many times as long as the attempt took.
constexpr Timestamp kRest = 10;
constexpr BackOff kAfterFault({.first = kSecond, .longest = 3600 * kSecond});
constexpr int kTimesToGiveWay = 5;
constexpr int kHopelessErrors = 6;  // about a minute

// The part of `deltas` that concerns `tview`.
DeltaSet Concerning(const TviewDefinition& tview, const DeltaSet& deltas) {
  DeltaSet own;
  for (const SourceLineage& source : tview.sources) {
    const RelationDelta* const delta = deltas.Find(source.source);
    if (delta == nullptr) continue;
    const bool is_relevant =
        delta->is_whole() ||
        std::any_of(delta->keys().begin(), delta->keys().end(), [&](const auto& layout_keys) {
          return source.IsRelevant(layout_keys.first.changed);
        });
    if (is_relevant) own.Merge(source.source, *delta);
  }
  return own;
}

absl::Status Log(const std::string& tview, const std::string& what) {
  return pg::Call([&] { ereport(LOG, (errmsg("TVIEW %s %s", tview.c_str(), what.c_str()))); });
}

absl::StatusOr<std::string> Name(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const name,
                          pg::CallFor([&]() -> const char* { return get_rel_name(relation); }));
  return name == nullptr ? absl::StrCat(relation) : std::string(name);
}

}  // namespace

absl::StatusOr<bool> AnythingBehind() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSql(absl::StrCat("SELECT FROM ", table, " LIMIT 1"), {}, true));
  return result.processed > 0;
}

absl::Status BehindTviews::Load(const DependencyGraph& graph) {
  behind_.clear();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          pg::ExecuteSql(absl::StrCat("SELECT tview::oid, reason,"
                                                      " (extract(epoch FROM retry_at -"
                                                      " '2000-01-01Z') * 1000000)::bigint FROM ",
                                                      table),
                                         {}, true));
  retry_at_.clear();
  std::map<RelationId, std::string> reasons;
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    const RelationId tview = column.Oid();
    std::string reason = column.Text();
    const std::optional<Timestamp> until = column.OptionalNumber<Timestamp>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (graph.Find(tview) != nullptr) {
      behind_.insert(tview);
      reasons[tview] = std::move(reason);
      if (until.has_value()) retry_at_[tview] = *until;
    } else {
      TVIEWS_RETURN_IF_ERROR(TakeOwed(tview).status());
      TVIEWS_RETURN_IF_ERROR(Forget(tview));
    }
  }
  for (const auto& [tview, until] : retry_at_) Remember(*graph.Find(tview), reasons[tview], until);
  return absl::OkStatus();
}

// The pause of a TVIEW that was left behind by an applier before this one. One that reads another
// such TVIEW follows that one.
void BehindTviews::Remember(const TviewDefinition& tview, const std::string& reason,
                            Timestamp until) {
  if (std::any_of(tview.sources.begin(), tview.sources.end(),
                  [&](const SourceLineage& source) { return retry_at_.contains(source.source); })) {
    return;
  }
  const auto [stuck, is_new] = stuck_.try_emplace(tview.relation, Stuck{.pause = kAfterFault});
  if (!is_new) return;
  const Timestamp now = GetCurrentTimestamp();
  stuck->second.pause.NoteFailure(now, until - now);
  stuck->second.pause.WaitUntil(until);
  stuck->second.reason = reason;
  stuck->second.is_own_fault = stuck->second.is_given_up = true;
  stuck->second.is_told = true;
}

void BehindTviews::BeginBatch() {
  left_aside_.clear();
  caught_up_.clear();
  has_changed_ = false;
}

absl::StatusOr<std::string> BehindTviews::ObstacleFor(const TviewDefinition& tview,
                                                      const BatchLocks& locks,
                                                      const DependencyGraph& graph) const {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId missing, locks.MissingFor(tview));
  if (missing != 0) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, Name(missing));
    return absl::StrCat("relation ", name, " is locked");
  }
  const auto stuck = stuck_.find(tview.relation);
  if (stuck != stuck_.end() && !stuck->second.pause.IsOver(GetCurrentTimestamp())) {
    return stuck->second.reason;
  }
  for (const SourceLineage& source : tview.sources) {
    if (!left_aside_.contains(source.source)) continue;
    return absl::StrCat("it reads ", graph.Find(source.source)->qualified_name,
                        ", which is behind");
  }
  return std::string();
}

absl::Status BehindTviews::LeaveAside(const TviewDefinition& tview, const std::string& reason,
                                      const Origin& here, const DeltaSet& deltas,
                                      bool is_to_compare) {
  DeltaSet own = Concerning(tview, deltas);
  if (is_to_compare) own.MarkWhole(tview.relation);
  const bool was_behind = behind_.contains(tview.relation);
  const bool reads_behind =
      std::any_of(tview.sources.begin(), tview.sources.end(),
                  [&](const SourceLineage& source) { return left_aside_.contains(source.source); });
  if (own.empty() && !was_behind && !reads_behind) return absl::OkStatus();
  left_aside_.insert(tview.relation);
  const auto stuck = stuck_.find(tview.relation);
  const bool is_told = stuck == stuck_.end() || stuck->second.is_told;
  if (own.empty() && was_behind && is_told) return absl::OkStatus();
  const Timestamp retry_at = RetryAt(tview);

  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(const std::string frontier,
                          pg::QualifiedTable(pg::CatalogTable::kFrontier));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult stored,
      pg::ExecuteSql(absl::StrCat("INSERT INTO ", table,
                                  " AS b (tview, snapshot, reason, since, retry_at)"
                                  " SELECT m.tview, coalesce(m.fill_snapshot, f.snapshot), $2,"
                                  " clock_timestamp(), '2000-01-01Z'::timestamptz +"
                                  " $3::bigint * interval '1 microsecond'"
                                  " FROM ",
                                  meta, " AS m, ", frontier,
                                  " AS f WHERE m.tview = $1::oid ON CONFLICT (tview)"
                                  " DO UPDATE SET batches = b.batches + 1, reason = $2,"
                                  " retry_at = excluded.retry_at RETURNING batches"),
                     {absl::StrCat(tview.relation), reason,
                      retry_at == 0 ? pg::SqlValue() : pg::SqlValue(absl::StrCat(retry_at))}));
  has_changed_ = true;
  behind_.insert(tview.relation);
  retry_at_.erase(tview.relation);
  if (retry_at != 0) retry_at_[tview.relation] = retry_at;
  if (!was_behind) {
    TVIEWS_RETURN_IF_ERROR(
        Log(tview.qualified_name, "is left aside until it can be refreshed: " + reason));
  }
  if (own.empty()) return absl::OkStatus();
  std::uint64_t batches = 0;
  if (!stored.rows.empty() && absl::SimpleAtoi(*stored.rows[0][0], &batches) &&
      batches % kOwedRows == 0) {
    TVIEWS_ASSIGN_OR_RETURN(DeltaSet owed, TakeOwed(tview.relation));
    own.Merge(std::move(owed));
  }
  return Owe(tview.relation, here, std::move(own));
}

absl::StatusOr<DeltaSet> BehindTviews::CatchUp(const TviewDefinition& tview) {
  TVIEWS_ASSIGN_OR_RETURN(DeltaSet owed, TakeOwed(tview.relation));
  TVIEWS_RETURN_IF_ERROR(Forget(tview.relation));
  caught_up_.push_back(tview.qualified_name);
  return owed;
}

// When a TVIEW that is left aside now is tried again, if it is for a fault: of its own, or of one
// that it reads. 0: as soon as a lock is to be had.
Timestamp BehindTviews::RetryAt(const TviewDefinition& tview) const {
  const auto stuck = stuck_.find(tview.relation);
  if (stuck != stuck_.end() && stuck->second.is_given_up) return stuck->second.pause.until();
  for (const SourceLineage& source : tview.sources) {
    const auto found = retry_at_.find(source.source);
    if (found != retry_at_.end() && left_aside_.contains(source.source)) return found->second;
  }
  return 0;
}

BehindTviews::Stuck& BehindTviews::Pause(RelationId tview, bool is_own_fault, Timestamp at_least) {
  const BackOff& fresh = is_own_fault ? kAfterFault : kAfterLock;
  const auto [entry, is_new] = stuck_.try_emplace(tview, Stuck{.pause = fresh});
  Stuck& stuck = entry->second;
  if (stuck.is_own_fault != is_own_fault) stuck.pause = fresh;
  stuck.pause.NoteFailure(GetCurrentTimestamp(), at_least);
  stuck.is_own_fault = is_own_fault;
  stuck.is_given_up = false;
  stuck.is_told = false;
  return stuck;
}

void BehindTviews::NoteStuck(RelationId tview) {
  Pause(tview, false, 0).reason = "a lock that its refresh needs is held by another session";
}

void BehindTviews::NoteGaveWay(RelationId tview) {
  Stuck& stuck = Pause(tview, false, 0);
  stuck.reason = "its refresh gave way to a session that waited for a lock";
  ++stuck.times_gave_way;
}

void BehindTviews::NoteFault(RelationId tview, const std::string& reason, Timestamp spent,
                             bool is_error) {
  Stuck& stuck = Pause(tview, true, spent * kRest);
  stuck.reason = reason;
  stuck.is_given_up = !is_error;
  if (is_error) ++stuck.errors;
}

void BehindTviews::TryNow(RelationId tview) {
  const auto stuck = stuck_.find(tview);
  if (stuck != stuck_.end()) stuck->second.pause.WaitUntil(0);
}

bool BehindTviews::GivesWay(RelationId tview) const {
  const auto stuck = stuck_.find(tview);
  return stuck == stuck_.end() || stuck->second.times_gave_way < kTimesToGiveWay;
}

bool BehindTviews::IsAtFault(RelationId tview) const {
  const auto stuck = stuck_.find(tview);
  return stuck != stuck_.end() && stuck->second.is_own_fault;
}

bool BehindTviews::IsHopeless(RelationId tview) const {
  const auto stuck = stuck_.find(tview);
  return stuck != stuck_.end() && stuck->second.errors >= kHopelessErrors;
}

long BehindTviews::DueMs() const {
  if (behind_.size() > retry_at_.size()) return 0;
  if (behind_.empty()) return -1;
  Timestamp due = retry_at_.begin()->second;
  for (const auto& [tview, retry_at] : retry_at_) due = std::min(due, retry_at);
  return static_cast<long>(std::max<Timestamp>(due - GetCurrentTimestamp(), 0) / 1000);
}

std::set<RelationId> BehindTviews::WaitedFor() const {
  std::set<RelationId> tviews = behind_;
  for (const auto& [tview, retry_at] : retry_at_) tviews.erase(tview);
  return tviews;
}

void BehindTviews::AfterCommit() {
  for (const std::string& name : caught_up_) Log(name, "catches up").IgnoreError();
  std::erase_if(stuck_, [&](const auto& entry) { return !behind_.contains(entry.first); });
  for (auto& [tview, stuck] : stuck_) stuck.is_told = stuck.is_told || left_aside_.contains(tview);
}

absl::StatusOr<DeltaSet> BehindTviews::TakeOwed(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kOwed));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult taken,
      pg::ExecuteSql(absl::StrCat("DELETE FROM ", table,
                                  " WHERE tview = $1::oid RETURNING encode(payload, 'hex')"),
                     {absl::StrCat(tview)}));
  DeltaSet owed;
  for (const pg::SqlRow& row : taken.rows) {
    absl::StatusOr<ChangeRecord> record = ParseChangeRecord(pg::RowReader(row).Bytes());
    if (record.ok()) {
      owed.Merge(std::move(record->deltas));
      continue;
    }
    // Whatever it was: the TVIEW is compared with its query, and nobody else is concerned.
    pg::LogFailure(record.status(),
                   absl::StrCat("what TVIEW ", tview, " owes is malformed").c_str());
    owed.MarkWhole(tview);
  }
  owed.DegradeTo(static_cast<std::size_t>(pg::settings::batch_memory) * 1024);
  has_changed_ = true;
  return owed;
}

absl::Status BehindTviews::Forget(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  behind_.erase(tview);
  retry_at_.erase(tview);
  return pg::ExecuteSql(absl::StrCat("DELETE FROM ", table, " WHERE tview = $1::oid"),
                        {absl::StrCat(tview)})
      .status();
}

absl::Status BehindTviews::Owe(RelationId tview, const Origin& here, DeltaSet deltas) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kOwed));
  deltas.DegradeTo(kOwedMemory);
  std::string bytes;
  SerializeChangeRecord(here, GetCurrentTimestamp(), deltas, &bytes);
  return pg::ExecuteSql(
             absl::StrCat("INSERT INTO ", table, " (tview, payload) VALUES ($1::oid, $2::bytea)"),
             {absl::StrCat(tview), absl::StrCat("\\x", absl::BytesToHexString(bytes))})
      .status();
}

}  // namespace tviews::worker
