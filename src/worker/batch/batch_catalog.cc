#include "worker/batch/batch_catalog.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/graph_loader.h"
#include "shared/pg/tables/relation_watch.h"
#include "shared/status_macros.h"
#include "worker/batch/inheritance_check.h"
#include "worker/batch/quarantine.h"
#include "worker/batch/refresh_log.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// The smallest target of the lane's TVIEWs; 0 is none. Nobody but a superuser makes TVIEWs of other
// owners wait that have no target themselves (pg_tviews_lane_targets says the same).
absl::StatusOr<std::uint64_t> TargetOf(const std::vector<TviewDefinition>& tviews) {
  std::uint64_t smallest = 0;
  absl::flat_hash_set<RoleId> with_target;
  absl::flat_hash_set<RoleId> without;
  for (const TviewDefinition& tview : tviews) {
    const std::uint64_t target = tview.lag_target.value_or(0);
    (target != 0 ? with_target : without).insert(tview.owner);
    if (target != 0 && (smallest == 0 || target < smallest)) smallest = target;
  }
  for (const RoleId owner : with_target) {
    TVIEWS_ASSIGN_OR_RETURN(const bool may_for_all,
                            pg::CallFor([owner] { return superuser_arg(owner); }));
    if (may_for_all) return smallest;
  }
  for (const RoleId owner : without) {
    if (!with_target.contains(owner)) return 0;
  }
  return smallest;
}

}  // namespace

void BatchCatalog::BeforeSnapshot() {
  invalidations_ = pg::WatchedInvalidations();
  any_invalidations_ = pg::RelationInvalidations();
  generation_ = pg::CatalogGeneration();
  catalog_changes_ = pg::CatalogChanges();
}

absl::Status BatchCatalog::LoadIfStale() {
  if (loaded_at_ != generation_ || loaded_at_ == 0) return Load();
  if (planned_at_ != invalidations_) ForgetStatements();
  return unadopted_.tviews.empty() ? absl::OkStatus() : LoadUnadopted();
}

absl::Status BatchCatalog::Load() {
  TVIEWS_ASSIGN_OR_RETURN(const DependencyGraph all, pg::LoadGraph());
  TVIEWS_RETURN_IF_ERROR(Divide(all));
  loaded_at_ = generation_;
  ++loads_;
  ForgetStatements();
  TVIEWS_RETURN_IF_ERROR(Watch());
  if (is_main()) RefreshLog::Keep(all);
  TVIEWS_RETURN_IF_ERROR(NoteQuarantine(standings_));
  TVIEWS_RETURN_IF_ERROR(LoadUnadopted());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Standings::Behind> behind, behind_->Read(graph_, all));
  standings_->Load(graph_, behind, GetCurrentTimestamp());
  return absl::OkStatus();
}

absl::Status BatchCatalog::Divide(const DependencyGraph& all) {
  std::vector<TviewDefinition> own;
  other_lanes_.clear();
  for (const TviewDefinition& tview : all.order()) {
    if (tview.lane == lane_) {
      own.push_back(tview);
    } else if (is_main()) {
      other_lanes_[tview.lane].push_back(tview);
    }
  }
  TVIEWS_ASSIGN_OR_RETURN(lag_target_, TargetOf(own));
  TVIEWS_ASSIGN_OR_RETURN(graph_, DependencyGraph::Build(std::move(own)));
  return absl::OkStatus();
}

// The main lane's applier adopts.
absl::Status BatchCatalog::LoadUnadopted() {
  if (!is_main()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(unadopted_, ReadUnadopted());
  standings_->AwaitAdoption(unadopted_.tviews);
  return absl::OkStatus();
}

void BatchCatalog::ForgetStatements() {
  executor_->ForgetStatements();
  planned_at_ = invalidations_;
}

absl::Status BatchCatalog::Watch() {
  std::vector<RelationId> watched;
  for (const TviewDefinition& tview : graph_.order()) {
    watched.push_back(tview.relation);
    watched.push_back(tview.backing_view);
    watched.insert(watched.end(), tview.nested_views.begin(), tview.nested_views.end());
    for (const SourceLineage& source : tview.sources) {
      watched.push_back(source.source);
      TVIEWS_RETURN_IF_ERROR(AppendDescendants(source.source, &watched));
    }
  }
  return pg::WatchRelations(watched, any_invalidations_) ? Moved() : absl::OkStatus();
}

absl::Status BatchCatalog::Moved() {
  has_moved_ = true;
  return pg::MakeError(absl::StatusCode::kAborted,
                       {.message = "catalogs changed while a batch began", .sqlstate = "40001"});
}

absl::Status BatchCatalog::CheckUnmoved() {
  const bool has_moved =
      pg::WatchedInvalidations() != invalidations_ || pg::CatalogChanges() != catalog_changes_;
  return has_moved ? Moved() : absl::OkStatus();
}

bool BatchCatalog::has_fills() const {
  return std::any_of(graph_.order().begin(), graph_.order().end(),
                     [](const TviewDefinition& tview) { return tview.fill.has_value(); });
}

// Rows that a session is changing (it renames or drops the TVIEW) are left to a later batch: one
// must not wait for it.
absl::Status BatchCatalog::ClearFills() {
  loaded_at_ = 0;
  // Not in version 0.1.0. Who has exchanged rows has left it to this batch to make them exact:
  // a snapshot between the two must not show them.
  TVIEWS_ASSIGN_OR_RETURN(const bool has_exchanges,
                          pg::HasCatalogTable(pg::CatalogTable::kReplacement));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("UPDATE ", meta, " SET fill_snapshot = NULL, fill_creator = NULL",
                                  has_exchanges ? ", exchanged_by = CASE WHEN exchanged_by ="
                                                  " fill_creator THEN pg_current_xact_id() ELSE"
                                                  " exchanged_by END"
                                                : "",
                                  " WHERE tview IN"
                                  " (SELECT tview FROM ",
                                  meta,
                                  " WHERE fill_snapshot IS NOT NULL AND"
                                  " coalesce(options ->> 'lane', 'main') = $1"
                                  " FOR UPDATE SKIP LOCKED)"),
                     {lane_})
          .status());
  // Sessions no longer wait for these TVIEWs' first batch.
  return pg::InvalidateCatalog();
}

}  // namespace tviews::worker
