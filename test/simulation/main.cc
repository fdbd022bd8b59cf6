// Runs the protocol through interleavings that a seed chooses.
//
// Usage: simulation [--runs N] [--seconds N] [--seed S] [--replay S] [--threads N]
//
// Run i has the seed S + i. A run that fails is run again, shrunk, and printed: what the sessions
// do, and every step of the schedule. `--replay S` does that for one seed, and prints the run also
// where it does not fail.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "shrink.h"

namespace tviews::simulation {
namespace {

struct Options {
  std::uint64_t runs = 1000000;
  std::uint64_t seconds = 0;  // 0: however long it takes
  std::uint64_t seed = 0;
  bool is_replay = false;
  unsigned threads = 2;
};

bool Parse(int count, char** arguments, Options* options) {
  options->seed = (std::uint64_t{std::random_device()()} << 24) & 0xffffffffff;
  options->threads = std::max(1U, std::thread::hardware_concurrency());
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return false;
    const std::string_view name = arguments[i];
    const std::uint64_t value = std::strtoull(arguments[i + 1], nullptr, 10);
    if (name == "--runs") {
      options->runs = value;
    } else if (name == "--seconds") {
      options->seconds = value;
    } else if (name == "--seed") {
      options->seed = value;
    } else if (name == "--threads" && value > 0) {
      options->threads = static_cast<unsigned>(value);
    } else if (name == "--replay") {
      options->seed = value;
      options->is_replay = true;
    } else {
      return false;
    }
  }
  return true;
}

void Print(World* world, std::uint64_t seed, const Case& failing) {
  Case shown = failing;
  const std::string finding = world->Run(shown.program, &shown.schedule, nullptr, true);
  std::cout << "\n" << Describe(shown.program) << "\n" << world->trace();
  std::cout << "\nseed " << seed << ": " << (finding.empty() ? "nothing wrong" : finding)
            << "\nagain: simulation --replay " << seed << "\n";
}

int Replay(std::uint64_t seed) {
  World world;
  Case made;
  const std::string finding = RunSeed(&world, seed, &made);
  Print(&world, seed, finding.empty() ? made : Shrink(&world, made));
  return finding.empty() ? 0 : 1;
}

class Search {
 public:
  explicit Search(const Options& options) : options_(options) {}

  int Run() {
    const auto began = std::chrono::steady_clock::now();
    end_ = began + std::chrono::seconds(options_.seconds);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < options_.threads; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << done_ << " interleavings, " << steps_ << " steps, "
              << static_cast<int>(took.count()) << " s\n"
              << (has_failed_ ? "[  FAILED  ]" : "[       OK ]") << " simulation ("
              << static_cast<int>(took.count() * 1000) << " ms)\n";
    return has_failed_ ? 1 : 0;
  }

 private:
  void Work() {
    World world;
    Case made;
    while (!has_failed_) {
      const std::uint64_t run = next_++;
      if (run >= options_.runs) return;
      if (options_.seconds != 0 && std::chrono::steady_clock::now() > end_) return;
      const std::uint64_t seed = options_.seed + run;
      const std::string finding = RunSeed(&world, seed, &made);
      ++done_;
      steps_ += world.steps();
      if (finding.empty()) continue;
      const std::lock_guard<std::mutex> guard(printing_);
      if (has_failed_.exchange(true)) return;
      std::cout << "seed " << seed << ": " << finding << "\nshrinking ..." << std::endl;
      Print(&world, seed, Shrink(&world, made));
    }
  }

  const Options options_;
  std::chrono::steady_clock::time_point end_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<bool> has_failed_{false};
  std::mutex printing_;
};

}  // namespace
}  // namespace tviews::simulation

int main(int count, char** arguments) {
  tviews::simulation::Options options;
  if (!tviews::simulation::Parse(count, arguments, &options)) {
    std::cerr
        << "usage: simulation [--runs N] [--seconds N] [--seed S] [--replay S] [--threads N]\n";
    return 2;
  }
  if (options.is_replay) return tviews::simulation::Replay(options.seed);
  std::cout << "seed: " << options.seed << std::endl;
  return tviews::simulation::Search(options).Run();
}
