// Which statement shape recomputes a number of keys of a TVIEW at the lowest cost.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// The planner is asked once per TVIEW and magnitude of keys, for the number that there is: shapes
// are not compared at different ones. What it said holds until the relations change (an ANALYZE
// counts as a change).

#ifndef PG_TVIEWS_WORKER_REFRESH_SHAPE_CHOOSER_H_
#define PG_TVIEWS_WORKER_REFRESH_SHAPE_CHOOSER_H_

#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "shared/refresh_plan.h"
#include "shared/tview_definition.h"

namespace tviews::worker {

// The name under which statements read their keys.
inline constexpr char kKeysName[] = "pg_tviews_keys";
inline constexpr char kPartName[] = "pg_tviews_part";

struct ChosenShape {
  RefreshShape shape = RefreshShape::kSingle;
  double cost_per_key = 0;  // the planner's; 0 for kSingle, about which it is not asked
};

class ShapeChooser {
 public:
  // REQUIRES: an SPI connection is open; the user is the TVIEW's owner; the keys are sorted. Only
  // with `may_return_others` a shape that returns rows of other keys too.
  absl::StatusOr<ChosenShape> Choose(const TviewDefinition& tview,
                                     const std::vector<std::string>& keys, bool may_return_others);

  // The shape of PartKeysStatement that costs less for so many values of `part`. REQUIRES: as
  // Choose.
  absl::StatusOr<PartShape> ChoosePart(const TviewDefinition& tview,
                                       const std::vector<std::size_t>& part, std::size_t rows);

  void Forget() {
    shapes_.clear();
    parts_.clear();
  }

 private:
  // By TVIEW, magnitude, and whether kRange and kArray were among those to choose from.
  std::map<std::tuple<RelationId, std::size_t, bool, bool>, ChosenShape> shapes_;
  std::map<std::tuple<RelationId, std::vector<std::size_t>, std::size_t>, PartShape> parts_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_SHAPE_CHOOSER_H_
