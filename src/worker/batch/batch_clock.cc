#include "worker/batch/batch_clock.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "shared/definition_clock.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/frontier.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// A fill of its own, whose time is known.
bool IsFilledAtKnownTime(const TviewDefinition& tview) {
  return tview.fill.has_value() && tview.fill->clock != 0;
}

}  // namespace

absl::StatusOr<bool> AnyClock() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSql(absl::StrCat("SELECT FROM ", meta, " WHERE options ? 'clock' LIMIT 1"), {},
                     pg::SqlSnapshot::kActive));
  return result.processed > 0;
}

absl::Status BatchClock::BeginBatch(SnapshotData* snapshot, const DependencyGraph& graph,
                                    std::uint64_t loads) {
  TVIEWS_ASSIGN_OR_RETURN(before_, pg::ReadFrontierTime(snapshot, lane_));
  TVIEWS_ASSIGN_OR_RETURN(const Timestamp latest, pg::ReadLatestFrontierTime(snapshot));
  time_ = std::max<Timestamp>(latest, GetCurrentTimestamp());
  pg::SetFrontierTime(time_);
  if (loads == loads_) return absl::OkStatus();
  loads_ = 0;
  TVIEWS_RETURN_IF_ERROR(deadlines_.Load(graph));
  loads_ = loads;
  return absl::OkStatus();
}

void BatchClock::Hold() {
  if (before_ == 0) return;
  time_ = before_;
  pg::SetFrontierTime(time_);
}

// What now() is for its rows.
Timestamp BatchClock::ShownBy(const TviewDefinition& tview) const {
  const std::optional<Timestamp> period = ClockPeriodOf(tview.settings);
  if (IsFilledAtKnownTime(tview)) return tview.fill->clock;
  return ClockAt(before_, *period);
}

bool BatchClock::IsDue(const TviewDefinition& tview) const {
  const std::optional<Timestamp> period = ClockPeriodOf(tview.settings);
  if (!period.has_value()) return false;
  const bool is_known = before_ != 0 || IsFilledAtKnownTime(tview);
  if (is_known && deadlines_.Has(tview.relation)) return false;
  return ClockAt(time_, *period) != ShownBy(tview);
}

bool BatchClock::AnyDue(const DependencyGraph& graph) const {
  return deadlines_.AnyDue(time_) ||
         std::any_of(graph.order().begin(), graph.order().end(),
                     [this](const TviewDefinition& tview) { return IsDue(tview); });
}

bool BatchClock::HasPassed(const TviewDefinition& tview) const {
  return deadlines_.Has(tview.relation) && ClockPeriodOf(tview.settings).has_value() &&
         ShownBy(tview) != time_;
}

absl::Status BatchClock::AddPassed(const TviewDefinition& tview, RefreshExecutor* executor,
                                   AffectedKeys* affected) const {
  return deadlines_.AddPassed(tview, ShownBy(tview), time_, executor, affected);
}

absl::Status BatchClock::FindNext(const DependencyGraph& graph) {
  return deadlines_.FindNext(graph, time_);
}

Timestamp BatchClock::NextDue(const DependencyGraph& graph) const {
  Timestamp next = deadlines_.NextDue();
  for (const TviewDefinition& tview : graph.order()) {
    const std::optional<Timestamp> period = ClockPeriodOf(tview.settings);
    if (!period.has_value() || deadlines_.Has(tview.relation)) continue;
    const Timestamp tick = NextTick(time_, *period);
    if (next == 0 || tick < next) next = tick;
  }
  return next;
}

}  // namespace tviews::worker
