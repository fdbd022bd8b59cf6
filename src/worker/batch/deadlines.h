// Moments at which rows change by themselves: those that the frontier's time has passed, and the
// next one.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// The analysis has found them (backend/lineage/deadlines.h) and stored their queries with the
// options of the TVIEW. They run as its owner. What the clock's side of a comparison is at some
// moment is asked of the server, at that moment as far as it can tell: so months, time zones and
// changes of daylight saving time are the server's.

#ifndef PG_TVIEWS_WORKER_BATCH_DEADLINES_H_
#define PG_TVIEWS_WORKER_BATCH_DEADLINES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/dependency_graph.h"
#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/core/cascade.h"
#include "worker/refresh/refresh_executor.h"

namespace tviews::worker {

class Deadlines {
 public:
  // Reads those of all TVIEWs. When the next ones are due is not known then.
  absl::Status Load(const DependencyGraph& graph);

  bool Has(RelationId tview) const;
  // True if the time of one has come, or it is not known when it will.
  bool AnyDue(Timestamp time) const;

  // Adds the keys of rows that have changed between the two moments.
  absl::Status AddPassed(const TviewDefinition& tview, Timestamp from, Timestamp to,
                         RefreshExecutor* executor, AffectedKeys* affected) const;

  // Finds when rows change next after `time`. A definition that fails is asked again a minute
  // later.
  absl::Status FindNext(const DependencyGraph& graph, Timestamp time);
  // 0: none does.
  Timestamp NextDue() const;

 private:
  struct Query {
    std::string before;
    std::string after;
    bool is_whole = false;
  };
  struct Deadline {
    RelationId tview = 0;
    std::string clock;
    std::string type;
    std::string row;
    std::string row_type;
    std::string rough;  // the row's side in local time, which is at most a day from the moment
    std::string table;
    bool when_reached = false;
    bool when_passed = false;
    bool may_go_back = false;  // the clock, when local time does
    std::vector<Query> queries;
    bool is_known = false;   // whether, and when it is due
    Timestamp due = 0;       // 0: never
    std::string next_value;  // of the row that changes next
    Timestamp next_at = 0;   // when it does
  };

  static std::string Near(const Deadline& deadline, const std::string& low, const std::string& high,
                          const std::string& condition);
  static absl::StatusOr<Timestamp> DueAfter(const TviewDefinition& tview, Timestamp time,
                                            Deadline* deadline);

  std::vector<Deadline> deadlines_;  // by TVIEW
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_DEADLINES_H_
