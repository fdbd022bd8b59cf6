#include "worker/feed/feed_retention.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr int kRowsPerStep = 5000;

struct Tables {
  std::string feed;
  std::string horizon;
  std::string consumers;  // empty in a version that has none
};

absl::StatusOr<Tables> FindTables() {
  Tables tables;
  TVIEWS_ASSIGN_OR_RETURN(tables.feed, pg::QualifiedTable(pg::CatalogTable::kFeed));
  TVIEWS_ASSIGN_OR_RETURN(tables.horizon, pg::QualifiedTable(pg::CatalogTable::kFeedHorizon));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_consumers,
                          pg::HasCatalogTable(pg::CatalogTable::kFeedConsumer));
  if (has_consumers) {
    TVIEWS_ASSIGN_OR_RETURN(tables.consumers, pg::QualifiedTable(pg::CatalogTable::kFeedConsumer));
  }
  return tables;
}

// Which of the rows `first` no consumer is waiting for any more. Consumers that have missed rows
// already hold nothing.
std::string NobodyWaits(const Tables& tables) {
  if (tables.consumers.empty()) return "true";
  std::string condition =
      absl::StrCat("(NOT EXISTS (SELECT FROM ", tables.consumers, " c, ", tables.horizon,
                   " h WHERE c.position >= h.removed_through AND c.position < first.position)");
  if (const int age = pg::settings::feed_consumer_max_age; age > 0) {
    absl::StrAppend(&condition, " OR first.changed_at < now() - make_interval(secs => ", age, ")");
  }
  if (const int rows = pg::settings::feed_consumer_max_rows; rows > 0) {
    absl::StrAppend(&condition, " OR first.position <= (SELECT max(l.position) FROM ", tables.feed,
                    " l) - ", rows);
  }
  return condition + ")";
}

// The position of the last row that is too old among the first ones; nothing is written where there
// is none.
absl::StatusOr<pg::SqlValue> FindLastOld(const Tables& tables) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSql(
          absl::StrCat("SELECT max(first.position) FROM (SELECT f.position, f.changed_at FROM ",
                       tables.feed, " f WHERE f.position > (SELECT removed_through FROM ",
                       tables.horizon, ") ORDER BY f.position LIMIT ", kRowsPerStep,
                       ") AS first WHERE first.changed_at < now() - make_interval(secs => ",
                       pg::settings::feed_retention, ") AND ", NobodyWaits(tables)),
          {}, pg::SqlSnapshot::kActive));
  return found.rows[0][0];
}

absl::StatusOr<bool> RemoveThrough(const Tables& tables, const std::string& position) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult removed,
      pg::ExecuteSql(absl::StrCat("DELETE FROM ", tables.feed,
                                  " WHERE position > (SELECT removed_through FROM ", tables.horizon,
                                  ") AND position <= $1::bigint"),
                     {position}));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("UPDATE ", tables.horizon, " SET removed_through = $1::bigint"),
                     {position})
          .status());
  return removed.processed == kRowsPerStep;
}

}  // namespace

absl::StatusOr<bool> RemoveOldFeedRows() {
  bool more = false;
  if (pg::settings::feed_retention == 0) return more;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
    TVIEWS_ASSIGN_OR_RETURN(const pg::SqlValue last, FindLastOld(tables));
    if (last.has_value()) {
      TVIEWS_ASSIGN_OR_RETURN(more, RemoveThrough(tables, *last));
    }
    return pg::Call([] { PopActiveSnapshot(); });
  }));
  return more;
}

}  // namespace tviews::worker
