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

// `changed`: whether each table has a change. Tables without are kAfter.
std::vector<JoinStep> JoinSteps(const std::vector<bool>& changed);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_JOIN_RULE_H_
