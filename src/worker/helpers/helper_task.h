// What the applier hands to helper processes, as bytes.
//
// Layer:   worker
// Sharing: immutable
// Errors:  cannot fail; malformed bytes give nullopt

#ifndef PG_TVIEWS_WORKER_HELPERS_HELPER_TASK_H_
#define PG_TVIEWS_WORKER_HELPERS_HELPER_TASK_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/refresh_plan.h"
#include "shared/tview_definition.h"

namespace tviews::worker {

struct HelperTask {
  TviewDefinition tview;  // of which only what recomputing needs travels
  RefreshShape shape = RefreshShape::kWhole;
  std::vector<std::string> keys;
};

std::string EncodeHelperTask(const TviewDefinition& tview, RefreshShape shape,
                             const std::vector<std::string>& keys);

std::optional<HelperTask> DecodeHelperTask(std::string_view bytes);

// The keys of slice `slice` of `slices`: neighbours, about as many as in the others.
std::vector<std::string> SliceOf(const std::vector<std::string>& keys, std::size_t slice,
                                 std::size_t slices);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_HELPERS_HELPER_TASK_H_
