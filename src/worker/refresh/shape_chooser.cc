#include "worker/refresh/shape_chooser.h"

#include <limits>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/planner/planned_cost.h"
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

// The planner's cost of a statement that reads `rows` rows under `name`.
absl::StatusOr<double> CostWithRows(const TviewDefinition& tview,
                                    const std::vector<std::size_t>& part, const char* name,
                                    std::size_t rows, const std::string& sql) {
  TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor, DescribeKeys(tview, part));
  TVIEWS_RETURN_IF_ERROR(RegisterRows(name, descriptor, {}, rows));
  double cost = std::numeric_limits<double>::infinity();
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    cost = pg::PlannedCost(sql.c_str());
    SPI_unregister_relation(name);
  }));
  return cost;
}

// The planner's total cost of `shape` for these keys.
absl::StatusOr<double> CostOf(const TviewDefinition& tview, const std::vector<std::string>& keys,
                              RefreshShape shape) {
  const std::string sql = RefreshStatement(tview, shape);
  if (shape != RefreshShape::kArray && shape != RefreshShape::kRange) {
    return CostWithRows(tview, WholeKey(tview), kKeysName, keys.size(), sql);
  }
  TVIEWS_ASSIGN_OR_RETURN(const StatementParameters parameters, KeyParameters(tview, keys, shape));
  std::vector<TypeId> types = TypesOf(parameters);
  return pg::CallFor([&] {
    return pg::PlannedCost(sql.c_str(), static_cast<int>(types.size()), types.data(),
                           ListOf(parameters));
  });
}

absl::StatusOr<bool> HaveArrays(const TviewDefinition& tview) {
  for (const KeyColumn& column : tview.key) {
    TVIEWS_ASSIGN_OR_RETURN(const bool has_array,
                            pg::CallFor([&] { return OidIsValid(get_array_type(column.type)); }));
    if (!has_array) return false;
  }
  return true;
}

// An array for each of several columns finds all combinations of their values.
absl::StatusOr<bool> MayBeArrays(const TviewDefinition& tview, const std::vector<std::string>& keys,
                                 bool may_return_others) {
  if (tview.key.size() > 1) {
    if (!may_return_others || !tview.key_is_image_equal()) return false;
    if (!AreCombined(keys, tview)) return false;
  }
  return HaveArrays(tview);
}

absl::StatusOr<bool> MayBeRange(const TviewDefinition& tview, const std::vector<std::string>& keys,
                                bool may_return_others) {
  if (!may_return_others || keys.size() < kSmallestRange || !AreDense(keys, tview)) return false;
  if (tview.key.size() > 1 && !tview.key_is_image_equal()) return false;
  return HaveArrays(tview);
}

}  // namespace

absl::StatusOr<ChosenShape> ShapeChooser::Choose(const TviewDefinition& tview,
                                                 const std::vector<std::string>& keys,
                                                 bool may_return_others) {
  if (keys.size() == 1) return ChosenShape{};
  TVIEWS_ASSIGN_OR_RETURN(const bool may_be_range, MayBeRange(tview, keys, may_return_others));
  bool may_be_arrays = false;
  if (!may_be_range || tview.key.size() == 1) {  // of combinations, a range holds fewer values
    TVIEWS_ASSIGN_OR_RETURN(may_be_arrays, MayBeArrays(tview, keys, may_return_others));
  }
  const auto slot =
      std::make_tuple(tview.relation, MagnitudeOf(keys.size()), may_be_range, may_be_arrays);
  if (const auto found = shapes_.find(slot); found != shapes_.end()) return found->second;
  ChosenShape best{.shape = RefreshShape::kLateral};
  double lowest = std::numeric_limits<double>::infinity();
  for (const RefreshShape shape :
       {RefreshShape::kRange, RefreshShape::kArray, RefreshShape::kLateral, RefreshShape::kJoin}) {
    if (shape == RefreshShape::kRange && !may_be_range) continue;
    if (shape == RefreshShape::kArray && !may_be_arrays) continue;
    TVIEWS_ASSIGN_OR_RETURN(const double cost, CostOf(tview, keys, shape));
    if (cost >= lowest) continue;
    lowest = cost;
    best = {.shape = shape, .cost_per_key = cost / static_cast<double>(keys.size())};
  }
  shapes_.emplace(slot, best);
  return best;
}

absl::StatusOr<PartShape> ShapeChooser::ChoosePart(const TviewDefinition& tview,
                                                   const std::vector<std::size_t>& part,
                                                   std::size_t rows) {
  const auto slot = std::make_tuple(tview.relation, part, MagnitudeOf(rows));
  if (const auto found = parts_.find(slot); found != parts_.end()) return found->second;
  TVIEWS_ASSIGN_OR_RETURN(
      const double each,
      CostWithRows(tview, part, kPartName, rows, PartKeysStatement(tview, part, PartShape::kEach)));
  TVIEWS_ASSIGN_OR_RETURN(
      const double together,
      CostWithRows(tview, part, kPartName, rows, PartKeysStatement(tview, part, PartShape::kJoin)));
  const PartShape cheaper = each <= together ? PartShape::kEach : PartShape::kJoin;
  return parts_.emplace(slot, cheaper).first->second;
}

}  // namespace tviews::worker
