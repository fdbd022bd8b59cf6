#include "shared/pg/common/pause_point.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/point_setting.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <utils/fmgrprotos.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

std::optional<std::string> ValueFor(const char* point, const char* setting) {
  if (setting == nullptr || setting[0] == '\0') return std::nullopt;
  const std::optional<std::string_view> value = ValueAt(point, setting);
  return value.has_value() ? std::optional<std::string>(*value) : std::nullopt;
}

std::optional<std::int64_t> LockFor(const char* point) {
  const std::optional<std::string> value = ValueFor(point, settings::pause_at);
  std::int64_t lock = 0;
  if (!value.has_value() || !absl::SimpleAtoi(*value, &lock)) return std::nullopt;
  return lock;
}

enum class Interrupts { kAccepted, kHeldBack };

absl::Status Wait(const char* name, std::int64_t lock, Interrupts interrupts) {
  const std::string paused = "paused at " + std::string(name);
  return Call([&] {
    const Datum key = Int64GetDatum(lock);
    bool has_paused = false;
    while (!DatumGetBool(DirectFunctionCall1(pg_try_advisory_lock_int8, key))) {
      if (!has_paused) pgstat_report_activity(STATE_RUNNING, paused.c_str());
      has_paused = true;
      WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5, PG_WAIT_EXTENSION);
      if (interrupts == Interrupts::kAccepted) CHECK_FOR_INTERRUPTS();
    }
    DirectFunctionCall1(pg_advisory_unlock_int8, key);
    if (has_paused) pgstat_report_activity(STATE_RUNNING, "");
  });
}

}  // namespace

absl::Status PausePoint(const char* name) {
  if (const std::optional<std::int64_t> lock = LockFor(name); lock.has_value()) {
    TVIEWS_RETURN_IF_ERROR(Wait(name, *lock, Interrupts::kAccepted));
  }
  const std::optional<std::string> state = ValueFor(name, settings::fail_at);
  if (!state.has_value() || state->size() != 5) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInternal,
                   {.message = "failed at " + std::string(name), .sqlstate = state->c_str()});
}

void PausePointInCommit(const char* name) noexcept {
  EnterQuietly([name] {
    const std::optional<std::int64_t> lock = LockFor(name);
    if (lock.has_value()) Wait(name, *lock, Interrupts::kHeldBack).IgnoreError();
    // An exception of the library's, as when memory runs out: for EnterQuietly.
    if (ValueFor(name, settings::fail_at).has_value()) static_cast<void>(std::string().at(0));
  });
}

}  // namespace tviews::pg
