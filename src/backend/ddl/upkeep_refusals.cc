#include "backend/ddl/upkeep_refusals.h"

#include <string>
#include <vector>

#include "backend/ddl/named_tview.h"
#include "backend/reading/executor_hook.h"
#include "backend/tview/names.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/repack.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/parsenodes.h>
#include <storage/lockdefs.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kLockHint[] =
    "The lock would stop the refresh of all TVIEWs. Use REPEATABLE READ for a stable view.";

// LOCK TABLE of a view locks what the view reads, too.
absl::Status CheckLockOfView(const RangeVar* name) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(name));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> below, ReadThrough(relation));
  RelationId tview = 0;
  for (const RelationId read : below) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(read));
    if (is_tview) tview = read;
  }
  if (tview == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(tview));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot lock view \"" + std::string(name->relname) +
                                   "\" because it reads TVIEW " + table,
                        .hint = kLockHint,
                        .sqlstate = "42809"});
}

absl::Status RefuseMovingOutbox(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId outbox, pg::CatalogTableId(pg::CatalogTable::kOutbox));
  if (relation != outbox) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "the rows of \"pg_tview_outbox\" cannot be moved",
       .detail = "Change records are addressed by their place in the table.",
       .hint = "Plain VACUUM keeps it small: its rows live no longer than a refresh."});
}

}  // namespace

absl::Status CheckTruncate(const TruncateStmt* statement) {
  for (int i = 0; i < list_length(statement->relations); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(const RelationId relation,
                            Resolve(static_cast<RangeVar*>(list_nth(statement->relations, i))));
    TVIEWS_RETURN_IF_ERROR(CheckMayChange(relation));
  }
  return absl::OkStatus();
}

absl::Status CheckRefresh(const RefreshMatViewStmt* statement) {
  TVIEWS_RETURN_IF_ERROR(RefuseIfTview(
      statement->relation, "REFRESH MATERIALIZED VIEW is not for",
      "A TVIEW follows its sources by itself. pg_tviews_refresh() compares all of it."));
  if (!statement->skipData) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  if (relation == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
  if (config->targets.empty()) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "materialized view \"" + std::string(statement->relation->relname) +
                  "\" cannot become unpopulated because TVIEWs read it",
       .hint = "Refresh it WITH DATA.",
       .sqlstate = "55000"});
}

absl::Status CheckLock(const LockStmt* statement) {
  if (statement->mode < ShareLock || !pg::settings::protect) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_repack, pg::CallFor([] { return pg::IsRepackSession(); }));
  if (is_repack) return absl::OkStatus();
  for (int i = 0; i < list_length(statement->relations); ++i) {
    const auto* const name = static_cast<RangeVar*>(list_nth(statement->relations, i));
    TVIEWS_RETURN_IF_ERROR(RefuseIfTview(name, "cannot lock", kLockHint));
    TVIEWS_RETURN_IF_ERROR(CheckLockOfView(name));
  }
  return absl::OkStatus();
}

absl::Status CheckCluster(const ClusterStmt* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, Resolve(statement->relation));
  return RefuseMovingOutbox(relation);
}

}  // namespace tviews::backend
