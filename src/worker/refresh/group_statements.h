// The statements that write the rows of a group state.
//
// Layer:   worker
// Sharing: immutable
// Errors:  cannot fail
//
// The texts of a state, which say what its rows are, read named rows of its tables with weights
// (shared/pg/planner/group_level.h). Here is said what these are.

#ifndef PG_TVIEWS_WORKER_REFRESH_GROUP_STATEMENTS_H_
#define PG_TVIEWS_WORKER_REFRESH_GROUP_STATEMENTS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "shared/types.h"
#include "worker/core/join_rule.h"

namespace tviews::worker {

struct GroupTexts {
  std::string body;
  std::string places;
  std::string merged;
  std::string renewed;
  std::string added;
  std::string valued;
  std::string counted;

  bool has_values() const { return !valued.empty(); }
};

struct GroupTable {
  std::string name;                                              // qualified and quoted
  std::vector<std::pair<AttributeNumber, std::string>> columns;  // quoted
};

struct WrittenState {
  int id = 0;
  int sums = 0;
  int extremes = 0;
  std::string rows;  // the table that holds them
  GroupTexts texts;
  std::vector<GroupTable> tables;
};

// Of the table at `place`: the images of its change, c<attribute> and w.
std::string GroupImagesName(std::size_t place);

// Writes all rows, and all values.
std::string BuildingStatement(const WrittenState& state);
// REQUIRES: the state has values; likewise below.
std::string ValuesBuildingStatement(const WrittenState& state);

// Adds what a step says; returns one row: whether a group cannot be, the places of groups that are
// no more, and those of groups with doubtful extremes. `extremes`: what those of
// the step are.
std::string AddingStatement(const WrittenState& state, const JoinStep& step, StepExtremes extremes);

// Adds what a step says of values, and to their counts what follows; returns the same.
std::string ValuesAddingStatement(const WrittenState& state, const JoinStep& step);

// Finds the doubtful extremes of the rows at $1. REQUIRES: the state has extremes.
std::string RenewingStatement(const WrittenState& state);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_GROUP_STATEMENTS_H_
