// The time that definitions are evaluated at in this process, whatever now() is by itself.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail
//
// The frontier's time is set for a batch, a helper, an evaluator or a fill. Within a scope that
// evaluates a definition which uses the clock, the transaction and the statement have begun at that
// moment as far as anybody can tell: now(), CURRENT_DATE and all others say so, also in functions
// and in parallel workers.

#ifndef PG_TVIEWS_SHARED_PG_SERVER_EVALUATION_CLOCK_H_
#define PG_TVIEWS_SHARED_PG_SERVER_EVALUATION_CLOCK_H_

#include "shared/definition_settings.h"
#include "shared/types.h"

namespace tviews::pg {

// 0: none is set.
Timestamp FrontierTime();
void SetFrontierTime(Timestamp time);

// When the transaction and the statement have begun.
struct Beginnings {
  Timestamp transaction;
  Timestamp statement;
};
Beginnings CurrentBeginnings();
void PretendToHaveBegun(const Beginnings& beginnings);

// What now() is for a definition with these settings; 0: what it is by itself.
Timestamp ClockOf(const DefinitionSettings& settings);

// Sets the frontier's time for as long as it lives.
class FrontierTimeScope {
 public:
  explicit FrontierTimeScope(Timestamp time) : outer_(FrontierTime()) { SetFrontierTime(time); }
  ~FrontierTimeScope() { SetFrontierTime(outer_); }
  FrontierTimeScope(const FrontierTimeScope&) = delete;
  FrontierTimeScope& operator=(const FrontierTimeScope&) = delete;

 private:
  Timestamp outer_;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_EVALUATION_CLOCK_H_
