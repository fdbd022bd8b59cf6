#include "worker/core/halving.h"

#include "shared/status_macros.h"

namespace tviews::worker {

absl::Status Halve(absl::Span<const std::string> keys, const absl::Status& error, KeyTrial* trial) {
  if (keys.empty() || trial->IsGivenUp()) return absl::OkStatus();
  if (keys.size() == 1) return trial->Condemn(keys[0], error);
  for (const auto half : {keys.first(keys.size() / 2), keys.subspan(keys.size() / 2)}) {
    const absl::Status status = trial->Try(half);
    if (status.ok()) continue;
    if (trial->EndsSearch(status)) return status;
    TVIEWS_RETURN_IF_ERROR(Halve(half, status, trial));
  }
  return absl::OkStatus();
}

}  // namespace tviews::worker
