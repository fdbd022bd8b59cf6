#include "worker/batch/lane_handover.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"
#include "shared/tview_definition.h"
#include "worker/batch/batch_records.h"
#include "worker/core/lane_deltas.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// More in one batch, and the source counts as changed as a whole.
constexpr std::size_t kOwedMemory = 1024 * 1024;

// What lanes without TVIEWs have left.
absl::Status ForgetLanes(const Lanes& lanes) {
  std::string kept = absl::StrCat("{", kMainLane);
  for (const auto& [lane, tviews] : lanes) absl::StrAppend(&kept, ",", lane);
  kept += "}";
  for (const pg::CatalogTable table : {pg::CatalogTable::kLaneOwed, pg::CatalogTable::kFrontier}) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, pg::QualifiedTable(table));
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSql(absl::StrCat("DELETE FROM ", name, " WHERE lane <> ALL ($1::text[])"),
                       {kept})
            .status());
  }
  return absl::OkStatus();
}

}  // namespace

bool LaneHandover::Prepare(const BatchCatalog& catalog) {
  for (const auto& [lane, tviews] : catalog.other_lanes()) {
    if (pg::FindLaneSlot(MyDatabaseId, lane) == nullptr) pg::ClaimLaneSlot(MyDatabaseId, lane);
  }
  return !catalog.other_lanes().empty();
}

absl::Status LaneHandover::Write(const BatchCatalog& catalog, const Coalescer& coalescer,
                                 const SnapshotBounds& bounds) {
  // Of a batch that was committed, and ended before it could tell.
  untold_.insert(written_.begin(), written_.end());
  written_.clear();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, pg::CatalogTableId(pg::CatalogTable::kMeta));
  if (coalescer.common().Find(meta) != nullptr) {
    TVIEWS_RETURN_IF_ERROR(ForgetLanes(catalog.other_lanes()));
  }
  for (const auto& [lane, tviews] : catalog.other_lanes()) {
    const DeltaSet deltas = DeltasForLane(tviews, coalescer.common(), meta);
    if (deltas.empty()) continue;
    TVIEWS_RETURN_IF_ERROR(Owe(lane, coalescer, deltas, bounds));
    written_.insert(lane);
  }
  return absl::OkStatus();
}

absl::Status LaneHandover::Owe(const std::string& lane, const Coalescer& coalescer,
                               const DeltaSet& deltas, const SnapshotBounds& bounds) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kLaneOwed));
  DeltaSet owed = deltas;
  owed.DegradeTo(kOwedMemory);
  std::string bytes;
  SerializeChangeRecord(Here(), coalescer.oldest(), owed, &bytes);
  return pg::ExecuteSql(absl::StrCat("INSERT INTO ", table,
                                     " (lane, snapshot, payload, written_at)"
                                     " VALUES ($1, $2::pg_snapshot, $3,"
                                     " '2000-01-01Z'::timestamptz"
                                     " + $4::bigint * interval '1 microsecond')"),
                        {lane, pg::FormatSnapshot(bounds), pg::SqlBytes{std::move(bytes)},
                         absl::StrCat(coalescer.oldest())})
      .status();
}

void LaneHandover::AfterCommit(const BatchCatalog& catalog) {
  untold_.insert(written_.begin(), written_.end());
  written_.clear();
  if (told_of_ != catalog.loads()) {
    for (const auto& [lane, tviews] : catalog.other_lanes()) untold_.insert(lane);
  }
  told_of_ = catalog.loads();
  TellAgain();
}

void LaneHandover::TellAgain() {
  std::erase_if(untold_, [](const std::string& lane) { return pg::KickLane(MyDatabaseId, lane); });
  if (!untold_.empty() && pg::Slots()->lane_count > 0) pg::AskForRoom();
}

}  // namespace tviews::worker
