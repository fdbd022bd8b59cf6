// The smallest program and schedule that still fail.
//
// Layer:   test
// Sharing: private to one thread
// Errors:  cannot fail

#ifndef PG_TVIEWS_TEST_SIMULATION_SHRINK_H_
#define PG_TVIEWS_TEST_SIMULATION_SHRINK_H_

#include <string>

#include "program.h"
#include "world.h"

namespace tviews::simulation {

// What a seed stands for.
struct Case {
  Program program;
  Schedule schedule;
};

// Makes up the program and the schedule of `seed` and runs them; returns the finding.
std::string RunSeed(World* world, std::uint64_t seed, Case* made);

// Takes away from `failing` what it does not need to fail, in whatever way it fails then.
Case Shrink(World* world, Case failing);

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_SHRINK_H_
