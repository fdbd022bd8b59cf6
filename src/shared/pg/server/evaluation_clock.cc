#include "shared/pg/server/evaluation_clock.h"

#include <optional>

#include "shared/definition_clock.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/parallel.h>
#include <access/xact.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

Timestamp frontier_time = 0;

}  // namespace

Timestamp FrontierTime() { return frontier_time; }
void SetFrontierTime(Timestamp time) { frontier_time = time; }

Beginnings CurrentBeginnings() {
  return {GetCurrentTransactionStartTimestamp(), GetCurrentStatementStartTimestamp()};
}

// The server lets parallel workers say when their leader has begun; only for the moment of the call
// this process passes for one.
void PretendToHaveBegun(const Beginnings& beginnings) {
  const int number = ParallelWorkerNumber;
  ParallelWorkerNumber = 0;
  SetParallelStartTimestamps(beginnings.transaction, beginnings.statement);
  ParallelWorkerNumber = number;
}

Timestamp ClockOf(const DefinitionSettings& settings) {
  const std::optional<Timestamp> period = ClockPeriodOf(settings);
  if (!period.has_value() || frontier_time == 0) return 0;
  return ClockAt(frontier_time, *period);
}

}  // namespace tviews::pg
