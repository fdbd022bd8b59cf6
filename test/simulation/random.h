// Numbers for making up programs and schedules: small, and the same on every machine.
//
// Layer:   test
// Sharing: private to one thread
// Errors:  cannot fail

#ifndef PG_TVIEWS_TEST_SIMULATION_RANDOM_H_
#define PG_TVIEWS_TEST_SIMULATION_RANDOM_H_

#include <cstdint>

namespace tviews::simulation {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In [0, end).
  int Below(int end) { return static_cast<int>(Next() % static_cast<std::uint64_t>(end)); }
  bool Percent(int share) { return Below(100) < share; }

 private:
  std::uint64_t state_;
};

}  // namespace tviews::simulation

#endif  // PG_TVIEWS_TEST_SIMULATION_RANDOM_H_
