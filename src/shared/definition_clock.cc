#include "shared/definition_clock.h"

#include "absl/strings/numbers.h"

namespace tviews {

std::optional<Timestamp> ClockPeriodOf(const DefinitionSettings& settings) {
  for (const DefinitionSetting& setting : settings) {
    Timestamp milliseconds = 0;
    if (setting.name != kClockSetting) continue;
    if (!absl::SimpleAtoi(setting.value, &milliseconds) || milliseconds < 1) return std::nullopt;
    return milliseconds * 1000;
  }
  return std::nullopt;
}

Timestamp ClockAt(Timestamp time, Timestamp period) {
  const Timestamp rest = time % period;
  return time - (rest < 0 ? rest + period : rest);
}

Timestamp NextTick(Timestamp time, Timestamp period) { return ClockAt(time, period) + period; }

}  // namespace tviews
