#include "worker/feed/batch_message.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/server/snapshot.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr char kPrefix[] = "pg_tviews";

}  // namespace

absl::Status TellBatch(const std::string& lane, const SnapshotBounds& frontier,
                       const pg::BatchTotals& totals) {
  if (!pg::settings::logical_messages || !XLogLogicalInfoActive()) return absl::OkStatus();
  const std::string text =
      absl::StrCat("{\"lane\": \"", lane, "\", \"frontier\": \"", pg::FormatSnapshot(frontier),
                   "\", \"inserted\": ", totals.inserted, ", \"updated\": ", totals.updated,
                   ", \"deleted\": ", totals.deleted, "}");
  return pg::Call([&] { pg::compat::LogTransactionalMessage(kPrefix, text.data(), text.size()); });
}

}  // namespace tviews::worker
