// Consumers of the durable change feed: registering, acknowledging, dropping.
//
// Layer:   backend
// Sharing: pg_tview_feed_consumer; a consumer's row is locked until the transaction ends
// Errors:  raise through pg::Enter
//
// A position is acknowledged in the caller's transaction, so that it stands and falls with what
// else that does. It never goes back, and never beyond what is in the feed.

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "backend/ddl/audit_log.h"
#include "backend/functions/function_values.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>
#include <miscadmin.h>

PG_FUNCTION_INFO_V1(tviews_feed_register);
PG_FUNCTION_INFO_V1(tviews_feed_drop);
PG_FUNCTION_INFO_V1(tviews_feed_ack);
PG_FUNCTION_INFO_V1(tviews_feed_claim);
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using Position = std::int64_t;

struct Tables {
  std::string consumers;
  std::string feed;
  std::string horizon;
};

// What is there of the feed: rows after `removed`, through `last`.
struct Extent {
  Position removed;
  Position last;
};

absl::StatusOr<Tables> FindTables() {
  Tables tables;
  TVIEWS_ASSIGN_OR_RETURN(tables.consumers, pg::QualifiedTable(pg::CatalogTable::kFeedConsumer));
  TVIEWS_ASSIGN_OR_RETURN(tables.feed, pg::QualifiedTable(pg::CatalogTable::kFeed));
  TVIEWS_ASSIGN_OR_RETURN(tables.horizon, pg::QualifiedTable(pg::CatalogTable::kFeedHorizon));
  return tables;
}

std::string ExtentQuery(const Tables& tables) {
  return absl::StrCat("SELECT h.removed_through, greatest((SELECT max(f.position) FROM ",
                      tables.feed, " f), h.removed_through) FROM ", tables.horizon, " h");
}

absl::StatusOr<Extent> ReadExtent(const pg::SqlResult& found) {
  pg::RowReader column(found.rows.at(0));
  const auto removed = column.Number<Position>();
  const auto last = column.Number<Position>();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return Extent{.removed = removed, .last = last};
}

absl::Status OutsideFeed(Position position, const Extent& extent) {
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = absl::StrCat("position ", position, " is not in the feed"),
                        .detail = absl::StrCat("It has what follows position ", extent.removed,
                                               ", through ", extent.last, ".")});
}

absl::Status NoSuchConsumer(const std::string& consumer) {
  return pg::MakeError(
      absl::StatusCode::kNotFound,
      {.message = absl::StrCat("consumer \"", consumer, "\" of the change feed does not exist"),
       .hint = "pg_tviews_feed_register() makes one."});
}

absl::Status NotOwner(const std::string& consumer) {
  return pg::MakeError(absl::StatusCode::kPermissionDenied,
                       {.message = absl::StrCat("must be owner of consumer \"", consumer, "\"")});
}

// Its position. Nobody else reads for it, or acknowledges, until the transaction ends. Whoever may
// not do that locks nothing, and waits for nobody.
absl::StatusOr<Position> LockConsumer(const Tables& tables, const std::string& consumer,
                                      RoleId caller) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSql(
          absl::StrCat("SELECT c.position FROM ", tables.consumers,
                       " c WHERE c.consumer = $1 AND pg_has_role($2::oid, c.owner, 'USAGE')"
                       " FOR UPDATE"),
          {consumer, absl::StrCat(caller)}));
  if (found.rows.empty()) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult others,
                            pg::ExecuteSqlLatest(absl::StrCat("SELECT FROM ", tables.consumers,
                                                              " c WHERE c.consumer = $1"),
                                                 {consumer}));
    return others.rows.empty() ? NoSuchConsumer(consumer) : NotOwner(consumer);
  }
  pg::RowReader column(found.rows[0]);
  const auto position = column.Number<Position>();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return position;
}

// Without a position: the last one that the statement sees, so that it goes with what the
// transaction reads.
absl::StatusOr<Position> Register(const std::string& consumer, const Position* wanted) {
  if (consumer.empty()) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "a consumer of the change feed needs a name"});
  }
  const RoleId caller = GetUserId();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult seen,
                          pg::ExecuteSql(ExtentQuery(tables), {}, pg::SqlSnapshot::kActive));
  TVIEWS_ASSIGN_OR_RETURN(const Extent extent, ReadExtent(seen));
  const Position position = wanted != nullptr ? *wanted : extent.last;
  if (position < extent.removed || position > extent.last) return OutsideFeed(position, extent);
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult made,
      pg::ExecuteSql(absl::StrCat("INSERT INTO ", tables.consumers,
                                  " (consumer, owner, position) VALUES ($1, $2::oid::regrole, "
                                  "$3::bigint) ON CONFLICT DO NOTHING"),
                     {consumer, absl::StrCat(caller), absl::StrCat(position)}));
  if (made.processed == 1) return position;
  return pg::MakeError(
      absl::StatusCode::kAlreadyExists,
      {.message = absl::StrCat("consumer \"", consumer, "\" of the change feed exists already")});
}

absl::StatusOr<Position> Drop(const std::string& consumer) {
  const RoleId caller = GetUserId();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(const Position position, LockConsumer(tables, consumer, caller));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("DELETE FROM ", tables.consumers, " WHERE consumer = $1"),
                     {consumer})
          .status());
  return position;
}

absl::StatusOr<Position> Claim(const std::string& consumer) {
  const RoleId caller = GetUserId();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  return LockConsumer(tables, consumer, caller);
}

// The extent as it is now: the consumer may have read what it is done with in another session. One
// that has kept its position elsewhere, and is ahead of what it acknowledged, has missed nothing.
absl::StatusOr<Position> Acknowledge(const std::string& consumer, Position position) {
  const RoleId caller = GetUserId();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const Tables tables, FindTables());
  TVIEWS_ASSIGN_OR_RETURN(const Position before, LockConsumer(tables, consumer, caller));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult now, pg::ExecuteSqlLatest(ExtentQuery(tables)));
  TVIEWS_ASSIGN_OR_RETURN(const Extent extent, ReadExtent(now));
  if (position > extent.last || (position > before && position < extent.removed)) {
    return OutsideFeed(position, extent);
  }
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("UPDATE ", tables.consumers,
                                  " SET position = greatest(position, $2::bigint), "
                                  "acknowledged_at = clock_timestamp() WHERE consumer = $1"),
                     {consumer, absl::StrCat(position)})
          .status());
  return std::max(before, position);
}

absl::StatusOr<Position> PositionArgument(FunctionCallInfo fcinfo, int number) {
  TVIEWS_RETURN_IF_ERROR(CheckArgument(fcinfo, number));
  return PG_GETARG_INT64(number);
}

}  // namespace
}  // namespace tviews::backend

namespace backend = tviews::backend;
namespace pg = tviews::pg;

TVIEWS_EXPORT Datum tviews_feed_register(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string consumer, backend::TextArgument(fcinfo, 0));
    const std::int64_t wanted = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
    TVIEWS_ASSIGN_OR_RETURN(const std::int64_t position,
                            backend::Register(consumer, PG_ARGISNULL(1) ? nullptr : &wanted));
    TVIEWS_RETURN_IF_ERROR(
        backend::RecordAction("REGISTER CONSUMER", "", {{"consumer", consumer}}));
    return Int64GetDatum(position);
  });
}

TVIEWS_EXPORT Datum tviews_feed_drop(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string consumer, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::int64_t position, backend::Drop(consumer));
    TVIEWS_RETURN_IF_ERROR(backend::RecordAction("DROP CONSUMER", "", {{"consumer", consumer}}));
    return Int64GetDatum(position);
  });
}

TVIEWS_EXPORT Datum tviews_feed_ack(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string consumer, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::int64_t done, backend::PositionArgument(fcinfo, 1));
    TVIEWS_ASSIGN_OR_RETURN(const std::int64_t position, backend::Acknowledge(consumer, done));
    return Int64GetDatum(position);
  });
}

TVIEWS_EXPORT Datum tviews_feed_claim(PG_FUNCTION_ARGS) {
  return pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string consumer, backend::TextArgument(fcinfo, 0));
    TVIEWS_ASSIGN_OR_RETURN(const std::int64_t position, backend::Claim(consumer));
    return Int64GetDatum(position);
  });
}
