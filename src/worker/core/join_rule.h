// In which steps the change of an inner join follows from those of its tables.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail
//
// A step joins the change of one table with the other tables, each as it was or as it is. The sum
// of all steps is the change of the join, and after each step what it has been added to is again a
// join of tables: nothing in it is negative.

#ifndef PG_TVIEWS_WORKER_CORE_JOIN_RULE_H_
#define PG_TVIEWS_WORKER_CORE_JOIN_RULE_H_

#include <cstdint>
#include <vector>

namespace tviews::worker {

enum class JoinedAs : std::uint8_t { kBefore, kChange, kAfter };

// One for each table, in their order.
using JoinStep = std::vector<JoinedAs>;

// What has happened to the rows of a table; an update is both.
struct TableChange {
  bool has_added = false;
  bool has_removed = false;
};

// Tables without a change are kAfter.
std::vector<JoinStep> JoinSteps(const std::vector<TableChange>& changes);

// What a table was is read as what it is and, with the opposite weight, its change. So a step may
// join a row that is new with one that is gone, and take it back: sums do not notice, but an
// extreme might be such a row.
enum class StepExtremes : std::uint8_t {
  kRight,     // those of what comes and of what goes
  kDoubtful,  // any may be of such a row
  kComing,    // nothing goes, whatever is taken back
};
StepExtremes ExtremesOf(const JoinStep& step, const std::vector<TableChange>& changes);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_JOIN_RULE_H_
