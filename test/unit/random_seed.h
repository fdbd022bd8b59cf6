// The seed of a property test: printed, and settable to repeat a failure.
//
// Layer:   test
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_TEST_UNIT_RANDOM_SEED_H_
#define PG_TVIEWS_TEST_UNIT_RANDOM_SEED_H_

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace tviews {

// A generator seeded from TVIEWS_SEED, or from the machine.
inline std::mt19937 SeededGenerator() {
  const char* const given = std::getenv("TVIEWS_SEED");
  const auto seed = given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                                     : std::random_device()();
  std::cout << "seed: TVIEWS_SEED=" << seed << "\n";
  return std::mt19937(seed);
}

// A number in [0, end).
inline std::uint32_t Below(std::mt19937& random, std::uint32_t end) {
  return std::uniform_int_distribution<std::uint32_t>(0, end - 1)(random);
}

}  // namespace tviews

#endif  // PG_TVIEWS_TEST_UNIT_RANDOM_SEED_H_
