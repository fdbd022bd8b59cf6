#include "worker/batch/adoption.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <miscadmin.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// In a transaction of its own; false if the query's first column is.
absl::StatusOr<bool> Ask(absl::FunctionRef<absl::StatusOr<pg::SqlResult>()> query) {
  bool answer = false;
  TVIEWS_RETURN_IF_ERROR(pg::RunTransaction([&]() -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([] { PushActiveSnapshot(GetTransactionSnapshot()); }));
    TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result, query());
    answer = !result.rows.empty() && result.rows[0][0] == "t";
    return pg::Call([] { PopActiveSnapshot(); });
  }));
  return answer;
}

absl::StatusOr<std::string> AdoptionFunction() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string schema, pg::ExtensionSchemaName());
  return QuoteQualified(schema, "pg_tviews_adopt");
}

}  // namespace

absl::StatusOr<bool> NeedsAdoption() {
  return Ask([]() -> absl::StatusOr<pg::SqlResult> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
    TVIEWS_ASSIGN_OR_RETURN(const std::string letters,
                            pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
    return pg::ExecuteSql(
        // The letters of what has been dropped unadopted are forgotten by adoption, too.
        absl::StrCat("SELECT EXISTS (SELECT FROM (SELECT objoid FROM pg_catalog.pg_seclabel"
                     " WHERE provider = 'pg_tviews') AS label FULL JOIN ",
                     meta,
                     " AS m ON m.tview = label.objoid WHERE label.objoid IS NULL"
                     " OR (m.system_identifier = $1::bigint AND m.database_oid = $2::oid)"
                     " IS NOT TRUE) OR EXISTS (SELECT FROM ",
                     letters, " AS d WHERE NOT EXISTS (SELECT FROM ", meta,
                     " AS m WHERE m.tview = d.tview))"),
        {absl::StrCat(static_cast<std::int64_t>(GetSystemIdentifier())),
         absl::StrCat(MyDatabaseId)},
        pg::SqlSnapshot::kActive);
  });
}

bool Adoption::IsDue() const {
  return pg::CatalogGeneration() != seen_generation_ ||
         (is_pending_ && back_off_.IsOver(GetCurrentTimestamp()));
}

absl::Status Adoption::Run() {
  const std::uint64_t generation = pg::CatalogGeneration();
  if (generation != seen_generation_) back_off_.Reset();
  seen_generation_ = generation;
  TVIEWS_ASSIGN_OR_RETURN(is_pending_, NeedsAdoption());
  if (!is_pending_) return absl::OkStatus();
  const absl::StatusOr<bool> left = Ask([]() -> absl::StatusOr<pg::SqlResult> {
    TVIEWS_RETURN_IF_ERROR(pg::PausePoint("before_adoption"));
    TVIEWS_ASSIGN_OR_RETURN(const std::string function, AdoptionFunction());
    return pg::ExecuteSql("SELECT pending > 0 FROM " + function + "()");
  });
  if (!left.ok()) pg::LogFailure(left.status(), "TVIEWs from elsewhere cannot be adopted yet");
  is_pending_ = !left.ok() || *left;
  // What this has changed itself is no news.
  seen_generation_ = pg::CatalogGeneration();
  back_off_.NoteFailure(GetCurrentTimestamp());
  return absl::OkStatus();
}

long Adoption::NapMs() const {
  return std::max(1L, static_cast<long>((back_off_.until() - GetCurrentTimestamp()) / 1000));
}

}  // namespace tviews::worker
