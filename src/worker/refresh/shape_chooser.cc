#include "worker/refresh/shape_chooser.h"

#include <limits>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/planner/planned_cost.h"
#include "shared/pg/server/datum_image.h"
#include "shared/status_macros.h"
#include "worker/refresh/key_values.h"
#include "worker/refresh/named_rows.h"
#include "worker/refresh/statement_cache.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/spi.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Fewer keys are not worth rows of others.
constexpr std::size_t kSmallestRange = 1000;

// How many keys the planner reckons with: it does not see those of a named relation.
std::size_t KeysPlannedFor(RefreshShape shape, std::size_t keys) {
  const bool are_seen = shape == RefreshShape::kArray || shape == RefreshShape::kRange;
  return are_seen ? keys : MagnitudeOf(keys);
}

// The planner's total cost of `shape` for these keys.
absl::StatusOr<double> CostOf(const TviewDefinition& tview, const std::vector<std::string>& keys,
                              RefreshShape shape) {
  const std::string sql = RefreshStatement(tview, shape);
  StatementParameter parameter;
  if (shape == RefreshShape::kArray) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape key_shape, pg::ShapeOf(tview.key_type));
    TVIEWS_ASSIGN_OR_RETURN(parameter, KeyArray(keys, tview.key_type, key_shape));
  } else if (shape == RefreshShape::kRange) {
    TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape key_shape, pg::ShapeOf(tview.key_type));
    TVIEWS_ASSIGN_OR_RETURN(parameter, KeyBounds(keys, tview.key_type, key_shape));
  } else {
    TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor,
                            DescribeKeys(tview.relation, tview.key_attribute));
    TVIEWS_RETURN_IF_ERROR(
        RegisterRows(kKeysName, descriptor, {}, KeysPlannedFor(shape, keys.size())));
  }
  double cost = std::numeric_limits<double>::infinity();
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    if (OidIsValid(parameter.type)) {
      cost = pg::PlannedCost(sql.c_str(), 1, &parameter.type, ListOf(parameter));
    } else {
      cost = pg::PlannedCost(sql.c_str());
      SPI_unregister_relation(kKeysName);
    }
  }));
  return cost;
}

}  // namespace

absl::StatusOr<ChosenShape> ShapeChooser::Choose(const TviewDefinition& tview,
                                                 const std::vector<std::string>& keys,
                                                 bool may_return_others) {
  if (keys.size() == 1) return ChosenShape{};
  const bool may_be_range =
      may_return_others && keys.size() >= kSmallestRange && AreDense(keys, tview.key_type);
  const auto slot = std::make_tuple(tview.relation, MagnitudeOf(keys.size()), may_be_range);
  if (const auto found = shapes_.find(slot); found != shapes_.end()) return found->second;
  Oid array_type = InvalidOid;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { array_type = get_array_type(tview.key_type); }));
  ChosenShape best{.shape = RefreshShape::kLateral};
  double lowest = std::numeric_limits<double>::infinity();
  for (const RefreshShape shape :
       {RefreshShape::kRange, RefreshShape::kArray, RefreshShape::kLateral, RefreshShape::kJoin}) {
    if (shape == RefreshShape::kRange && !may_be_range) continue;
    if (shape == RefreshShape::kArray && !OidIsValid(array_type)) continue;
    TVIEWS_ASSIGN_OR_RETURN(const double cost, CostOf(tview, keys, shape));
    if (cost >= lowest) continue;
    lowest = cost;
    const auto count = static_cast<double>(KeysPlannedFor(shape, keys.size()));
    best = {.shape = shape, .cost_per_key = cost / count};
  }
  shapes_.emplace(slot, best);
  return best;
}

}  // namespace tviews::worker
