#include "shrink.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>

namespace tviews::simulation {
namespace {

bool Fails(World* world, const Case& candidate) {
  Schedule schedule = candidate.schedule;
  return !world->Run(candidate.program, &schedule, nullptr, false).empty();
}

class Shrinker {
 public:
  Shrinker(World* world, Case failing) : world_(world), smallest_(std::move(failing)) {}

  Case Run() {
    bool is_smaller = true;
    while (is_smaller) {
      is_smaller = ShrinkProgram();
      is_smaller = ShrinkSchedule() || is_smaller;
    }
    return std::move(smallest_);
  }

 private:
  bool Try(const std::function<void(Case*)>& change) {
    Case candidate = smallest_;
    change(&candidate);
    if (!Fails(world_, candidate)) return false;
    smallest_ = std::move(candidate);
    return true;
  }

  // From the last one on, so that positions stay right.
  bool ShrinkProgram() {
    bool is_smaller = false;
    const auto attempt = [&](const std::function<void(Case*)>& change) {
      is_smaller = Try(change) || is_smaller;
    };
    for (std::size_t i = smallest_.program.sessions.size(); i-- > 0;) {
      for (std::size_t j = smallest_.program.sessions[i].size(); j-- > 0;) {
        if (Try([&](Case* one) {
              auto& steps = one->program.sessions[i];
              steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(j));
            })) {
          is_smaller = true;
          continue;
        }
        for (std::size_t k = smallest_.program.sessions[i][j].operations.size(); k-- > 0;) {
          attempt([&](Case* one) {
            auto& operations = one->program.sessions[i][j].operations;
            if (operations.size() > 1) {
              operations.erase(operations.begin() + static_cast<std::ptrdiff_t>(k));
            } else {
              one->schedule.clear();
              one->program.sessions.clear();
            }
          });
        }
      }
    }
    const Program& program = smallest_.program;
    if (program.has_vacuum) attempt([](Case* one) { one->program.has_vacuum = false; });
    if (program.has_lane) attempt([](Case* one) { one->program.has_lane = false; });
    if (program.has_foreign) attempt([](Case* one) { one->program.has_foreign = false; });
    if (program.locks != 0) attempt([](Case* one) { one->program.locks = 0; });
    if (program.drops != 0) attempt([](Case* one) { one->program.drops = 0; });
    if (program.creates != 0) attempt([](Case* one) { one->program.creates = 0; });
    if (program.ring_capacity != 4096) {
      attempt([](Case* one) { one->program.ring_capacity = 4096; });
    }
    if (program.batch_memory < 100) {
      attempt([](Case* one) { one->program.batch_memory = 1 << 20; });
    }
    if (program.transaction_memory < 100) {
      attempt([](Case* one) { one->program.transaction_memory = 1 << 20; });
    }
    return is_smaller;
  }

  // Parts of the schedule, from halves to single choices.
  bool ShrinkSchedule() {
    bool is_smaller = false;
    for (std::size_t size = std::max<std::size_t>(smallest_.schedule.size() / 2, 1);; size /= 2) {
      for (std::size_t begin = smallest_.schedule.size(); begin > 0;) {
        begin = begin > size ? begin - size : 0;
        is_smaller = Try([&](Case* one) {
                       Schedule& schedule = one->schedule;
                       const std::size_t end = std::min(begin + size, schedule.size());
                       schedule.erase(schedule.begin() + static_cast<std::ptrdiff_t>(begin),
                                      schedule.begin() + static_cast<std::ptrdiff_t>(end));
                     }) ||
                     is_smaller;
      }
      if (size <= 1) return is_smaller;
    }
  }

  World* world_;
  Case smallest_;
};

}  // namespace

std::string RunSeed(World* world, std::uint64_t seed, Case* made) {
  Random random(seed);
  made->program = MakeProgram(&random);
  made->schedule.clear();
  return world->Run(made->program, &made->schedule, &random, false);
}

Case Shrink(World* world, Case failing) { return Shrinker(world, std::move(failing)).Run(); }

}  // namespace tviews::simulation
