#include "worker/batch/lane_outbox.h"

#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/outbox.h"
#include "shared/status_macros.h"
#include "worker/core/lane_deltas.h"

namespace tviews::worker {
namespace {

// At a time: their payloads are in memory.
constexpr int kRowsPerStep = 16;
// What was handed over consists of many transactions, none of which a fill is known to cover.
constexpr FullXid kMany = std::numeric_limits<FullXid>::max();

}  // namespace

absl::StatusOr<Outcome> LaneOutbox::OutcomeOf(FullXid xid, bool* forgotten) {
  return pg::OutcomeUnder(snapshot_, xid, forgotten);
}

absl::Status LaneOutbox::Fetch(const OutboxRow&, Visit) { return absl::OkStatus(); }

absl::Status LaneOutbox::Scan(Visit visit, absl::FunctionRef<void(const OutboxRow&)>) {
  TVIEWS_RETURN_IF_ERROR(ScanOwed(visit));
  return pg::Outbox::Scan(snapshot_,
                          [&](RowPointer, FullXid xid, std::string_view payload) -> absl::Status {
                            return frontier_.Includes(xid) ? absl::OkStatus() : visit(xid, payload);
                          });
}

absl::Status LaneOutbox::ScanOwed(Visit visit) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kLaneOwed));
  const std::string sql =
      absl::StrCat("SELECT id, snapshot, payload FROM ", table,
                   " WHERE lane = $1 AND id > $2::bigint ORDER BY id LIMIT ", kRowsPerStep);
  std::string last = "0";
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                            pg::ExecuteSql(sql, {lane_, last}, pg::SqlSnapshot::kActive));
    for (const pg::SqlRow& row : found.rows) {
      pg::RowReader column(row);
      last = column.Text();
      TVIEWS_ASSIGN_OR_RETURN(const SnapshotBounds bounds, pg::ParseSnapshot(column.Text()));
      const std::string payload = column.Text();
      TVIEWS_RETURN_IF_ERROR(column.End());
      has_owed_ = true;
      if (!IsWithin(bounds, frontier_)) TVIEWS_RETURN_IF_ERROR(visit(kMany, payload));
    }
    if (found.rows.size() < static_cast<std::size_t>(kRowsPerStep)) return absl::OkStatus();
  }
}

absl::Status LaneOutbox::Delete(std::vector<OutboxRow>*) { return absl::OkStatus(); }

absl::Status LaneOutbox::DeleteSeen() {
  if (!has_owed_) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kLaneOwed));
  return pg::ExecuteSql(absl::StrCat("DELETE FROM ", table, " WHERE lane = $1"), {lane_}).status();
}

}  // namespace tviews::worker
