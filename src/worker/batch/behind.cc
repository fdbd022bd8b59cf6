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

constexpr BackOff kBackOff({.first = 1000000, .longest = 30 * 1000000});

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

absl::Status Log(const TviewDefinition& tview, const std::string& what) {
  return pg::Call(
      [&] { ereport(LOG, (errmsg("TVIEW %s %s", tview.qualified_name.c_str(), what.c_str()))); });
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
                          pg::ExecuteSql(absl::StrCat("SELECT tview::oid FROM ", table), {}, true));
  for (const pg::SqlRow& row : result.rows) {
    RelationId tview = 0;
    if (!absl::SimpleAtoi(*row[0], &tview)) continue;
    if (graph.Find(tview) != nullptr) {
      behind_.insert(tview);
    } else {
      TVIEWS_RETURN_IF_ERROR(TakeOwed(tview).status());
      TVIEWS_RETURN_IF_ERROR(Forget(tview));
    }
  }
  return absl::OkStatus();
}

void BehindTviews::BeginBatch() {
  left_aside_.clear();
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
  if (stuck != stuck_.end() && !stuck->second.IsOver(GetCurrentTimestamp())) {
    return std::string("a lock that its refresh needs is held by another session");
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
  if (own.empty() && was_behind) return absl::OkStatus();

  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(const std::string frontier,
                          pg::QualifiedTable(pg::CatalogTable::kFrontier));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult stored,
      pg::ExecuteSql(absl::StrCat("INSERT INTO ", table,
                                  " AS b (tview, snapshot, reason, since) SELECT m.tview,"
                                  " coalesce(m.fill_snapshot, f.snapshot), $2, clock_timestamp()"
                                  " FROM ",
                                  meta, " AS m, ", frontier,
                                  " AS f WHERE m.tview = $1::oid ON CONFLICT (tview)"
                                  " DO UPDATE SET batches = b.batches + 1, reason = $2"
                                  " RETURNING batches"),
                     {absl::StrCat(tview.relation), reason}));
  has_changed_ = true;
  behind_.insert(tview.relation);
  if (!was_behind) {
    TVIEWS_RETURN_IF_ERROR(Log(tview, "is left aside until it can be refreshed: " + reason));
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
  TVIEWS_RETURN_IF_ERROR(Log(tview, "catches up"));
  return owed;
}

void BehindTviews::NoteStuck(RelationId tview) {
  stuck_.try_emplace(tview, kBackOff).first->second.NoteFailure(GetCurrentTimestamp());
}

void BehindTviews::AfterCommit() {
  std::erase_if(stuck_, [&](const auto& entry) { return !behind_.contains(entry.first); });
}

absl::StatusOr<DeltaSet> BehindTviews::TakeOwed(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kOwed));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult taken,
      pg::ExecuteSql(absl::StrCat("DELETE FROM ", table,
                                  " WHERE tview = $1::oid RETURNING encode(payload, 'base64')"),
                     {absl::StrCat(tview)}));
  DeltaSet owed;
  for (const pg::SqlRow& row : taken.rows) {
    std::string bytes;
    // Skips the line breaks that the server puts in.
    absl::StatusOr<ChangeRecord> record = absl::Base64Unescape(*row[0], &bytes)
                                              ? ParseChangeRecord(bytes)
                                              : absl::InvalidArgumentError("not base64");
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
