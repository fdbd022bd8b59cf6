#include "shared/pg/pause_point.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "shared/pg/guard.h"
#include "shared/pg/settings.h"

#include "shared/pg/postgres_begin.h"
#include <miscadmin.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <utils/fmgrprotos.h>
#include "shared/pg/postgres_end.h"

namespace tviews::pg {
namespace {

// The lock that the setting names for `point`.
std::optional<std::int64_t> LockFor(const std::string& point) {
  for (absl::string_view item : absl::StrSplit(settings::pause_at, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(item, ':');
    std::int64_t lock = 0;
    if (parts.size() == 2 && parts[0] == absl::string_view(point) &&
        absl::SimpleAtoi(parts[1], &lock)) {
      return lock;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::Status PausePoint(const char* name) {
  if (settings::pause_at == nullptr || settings::pause_at[0] == '\0') return absl::OkStatus();
  const std::optional<std::int64_t> lock = LockFor(name);
  if (!lock.has_value()) return absl::OkStatus();
  const std::string paused = "paused at " + std::string(name);
  return Call([&] {
    const Datum key = Int64GetDatum(*lock);
    bool has_paused = false;
    while (!DatumGetBool(DirectFunctionCall1(pg_try_advisory_lock_int8, key))) {
      if (!has_paused) pgstat_report_activity(STATE_RUNNING, paused.c_str());
      has_paused = true;
      WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5, PG_WAIT_EXTENSION);
      CHECK_FOR_INTERRUPTS();
    }
    DirectFunctionCall1(pg_advisory_unlock_int8, key);
    if (has_paused) pgstat_report_activity(STATE_RUNNING, "");
  });
}

}  // namespace tviews::pg
