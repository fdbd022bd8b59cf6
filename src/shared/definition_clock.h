// What now() means in a definition: the frontier's time, rounded down to the TVIEW's period.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail
//
// The period is kept beside the settings of the server that a definition runs with, because it goes
// wherever they go: to helpers, to evaluators. A definition that uses no clock has none.

#ifndef PG_TVIEWS_SHARED_DEFINITION_CLOCK_H_
#define PG_TVIEWS_SHARED_DEFINITION_CLOCK_H_

#include <cstdint>
#include <optional>

#include "shared/definition_settings.h"
#include "shared/types.h"

namespace tviews {

// The name of the entry; its value is the period in milliseconds.
inline constexpr char kClockSetting[] = "pg_tviews.clock";

// In microseconds; nothing where the definition uses no clock.
std::optional<Timestamp> ClockPeriodOf(const DefinitionSettings& settings);

// What now() is at `time`.
Timestamp ClockAt(Timestamp time, Timestamp period);

// The first moment after `time` at which now() is another.
Timestamp NextTick(Timestamp time, Timestamp period);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_DEFINITION_CLOCK_H_
