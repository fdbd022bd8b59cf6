#include "worker/batch/behind.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"
#include "worker/batch/exchanged.h"
#include "worker/core/cascade.h"

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

absl::StatusOr<std::string> Name(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const name,
                          pg::CallFor([&]() -> const char* { return get_rel_name(relation); }));
  return name == nullptr ? absl::StrCat(relation) : std::string(name);
}

}  // namespace

absl::StatusOr<bool> AnythingBehind() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          pg::ExecuteSql(absl::StrCat("SELECT FROM ", table, " LIMIT 1"), {},
                                         pg::SqlSnapshot::kActive));
  return result.processed > 0;
}

absl::StatusOr<std::vector<Standings::Behind>> BehindTviews::Read(const DependencyGraph& graph,
                                                                  const DependencyGraph& all) {
  TVIEWS_ASSIGN_OR_RETURN(const std::set<RelationId> shadows, TakeOverDebts(graph, all));
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          pg::ExecuteSql(absl::StrCat("SELECT tview::oid, reason,"
                                                      " (extract(epoch FROM retry_at -"
                                                      " '2000-01-01Z') * 1000000)::bigint FROM ",
                                                      table)));
  std::vector<Standings::Behind> behind;
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    Standings::Behind tview;
    tview.tview = column.Oid();
    tview.reason = column.Text();
    tview.retry_at = column.OptionalNumber<Timestamp>().value_or(0);
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (graph.Find(tview.tview) != nullptr) {
      behind.push_back(std::move(tview));
    } else if (lane_ == kMainLane && all.Find(tview.tview) == nullptr &&
               !shadows.contains(tview.tview)) {
      TVIEWS_RETURN_IF_ERROR(TakeOwed(tview.tview).status());
      TVIEWS_RETURN_IF_ERROR(Forget(tview.tview));
    }
  }
  return behind;
}

void BehindTviews::BeginBatch() {
  moves_.clear();
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
  return standings_->ObstacleTo(tview, graph, GetCurrentTimestamp());
}

absl::Status BehindTviews::LeaveAside(const TviewDefinition& tview, const std::string& reason,
                                      const Origin& here, const DeltaSet& deltas,
                                      bool is_to_compare) {
  DeltaSet own = DeltasConcerning(tview, deltas);
  own.MarkUncounted();  // group states follow in every batch
  if (is_to_compare || (own.empty() && standings_->IsAccused(tview.relation))) {
    own.MarkWhole(tview.relation);
  }
  const std::optional<Standings::Leaving> leaving = standings_->LeaveAside(tview, !own.empty());
  if (!leaving.has_value()) return absl::OkStatus();

  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kBehind));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(const std::string frontier,
                          pg::QualifiedTable(pg::CatalogTable::kFrontier));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult stored,
      pg::ExecuteSql(
          absl::StrCat("INSERT INTO ", table,
                       " AS b (tview, snapshot, reason, since, retry_at)"
                       " SELECT m.tview, coalesce(m.fill_snapshot, f.snapshot), $2,"
                       " clock_timestamp(), '2000-01-01Z'::timestamptz +"
                       " $3::bigint * interval '1 microsecond'"
                       " FROM ",
                       meta, " AS m LEFT JOIN ", frontier,
                       " AS f ON f.lane = $4 WHERE m.tview = $1::oid ON CONFLICT (tview)"
                       " DO UPDATE SET batches = b.batches + 1, reason = $2,"
                       " retry_at = excluded.retry_at RETURNING batches"),
          {absl::StrCat(tview.relation), reason,
           leaving->retry_at == 0 ? pg::SqlValue() : pg::SqlValue(absl::StrCat(leaving->retry_at)),
           lane_}));
  has_changed_ = true;
  if (leaving->is_first) {
    moves_.push_back(absl::StrCat("TVIEW ", tview.qualified_name,
                                  " is left aside until it can be refreshed: ", reason));
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
  standings_->CatchUp(tview.relation);
  moves_.push_back(absl::StrCat("TVIEW ", tview.qualified_name, " catches up"));
  return owed;
}

void BehindTviews::AfterCommit() const {
  for (const std::string& move : moves_) {
    pg::Call([&] { ereport(LOG, (errmsg_internal("%s", move.c_str()))); }).IgnoreError();
  }
}

absl::StatusOr<DeltaSet> BehindTviews::TakeOwed(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kOwed));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult taken,
                          pg::ExecuteSql(absl::StrCat("DELETE FROM ", table,
                                                      " WHERE tview = $1::oid RETURNING payload"),
                                         {absl::StrCat(tview)}));
  DeltaSet owed;
  for (const pg::SqlRow& row : taken.rows) {
    absl::StatusOr<ChangeRecord> record = ParseChangeRecord(row[0].value_or(""));
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
             absl::StrCat("INSERT INTO ", table, " (tview, payload) VALUES ($1::oid, $2)"),
             {absl::StrCat(tview), pg::SqlBytes{std::move(bytes)}})
      .status();
}

}  // namespace tviews::worker
