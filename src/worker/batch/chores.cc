#include "worker/batch/chores.h"

#include <algorithm>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "worker/feed/feed_retention.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr Timestamp kSecond = 1000000;

}  // namespace

// After a tenth of the retention, within reason. Computed anew, because the setting may change.
Timestamp Chores::RetentionDue() const {
  if (more_to_remove_) return 0;
  return retention_done_ + std::clamp(pg::settings::feed_retention / 10, 1, 60) * kSecond;
}

void Chores::RunDue() {
  const Timestamp now = GetCurrentTimestamp();
  if (now < RetentionDue()) return;
  const absl::StatusOr<bool> more = RemoveOldFeedRows();
  if (!more.ok()) pg::LogFailure(more.status(), "old rows of pg_tview_feed are kept for now");
  more_to_remove_ = more.ok() && *more;
  retention_done_ = now;
}

long Chores::NextDueMs() const {
  return static_cast<long>(
      std::max<Timestamp>(0, (RetentionDue() - GetCurrentTimestamp()) / 1000 + 1));
}

}  // namespace tviews::worker
