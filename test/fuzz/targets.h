// What any bytes must not do to our parsers: each target reads the bytes as one kind of value and
// ends the process where a property does not hold.
//
// Layer:   test
// Sharing: private to one process
// Errors:  aborts
//
// libFuzzer runs them (scripts/fuzz.sh), and the unit tests with mutations of what is well-formed.

#ifndef PG_TVIEWS_TEST_FUZZ_TARGETS_H_
#define PG_TVIEWS_TEST_FUZZ_TARGETS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tviews {

struct FuzzTarget {
  const char* name;
  void (*run)(std::string_view bytes);
  std::vector<std::string> (*seeds)();  // well-formed values
};

std::span<const FuzzTarget> FuzzTargets();

}  // namespace tviews

#endif  // PG_TVIEWS_TEST_FUZZ_TARGETS_H_
