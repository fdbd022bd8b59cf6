#include "worker/refresh/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace tviews::worker {
namespace {

constexpr Timestamp kMeasureAgain = 1000000;

std::uint64_t DataInUse() noexcept {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long pages = 0;
  // size resident shared text lib data dirty
  const int found = std::fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages);
  std::fclose(file);
  return found == 1 ? std::uint64_t{pages} * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

std::uint64_t DataSize::At(Timestamp now) noexcept {
  if (now - measured_at_ > kMeasureAgain) {
    measured_at_ = now;
    bytes_ = DataInUse();
  }
  return bytes_;
}

MemoryLimit::MemoryLimit(std::uint64_t in_use, std::uint64_t more) noexcept {
  rlimit limit{};
  if (in_use == 0 || more == 0 || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= in_use + more) return;
  previous_ = limit.rlim_cur;
  limit.rlim_cur = in_use + more;
  is_set_ = setrlimit(RLIMIT_DATA, &limit) == 0;
}

MemoryLimit::~MemoryLimit() {
  rlimit limit{};
  if (!is_set_ || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = previous_;
  setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace tviews::worker
