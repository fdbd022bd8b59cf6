// libFuzzer's entry points. TVIEWS_FUZZ_TARGET in the environment names the target, and
// TVIEWS_FUZZ_SEEDS a directory that gets its well-formed values.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "targets.h"

namespace {

const tviews::FuzzTarget* target = nullptr;

void WriteSeeds(const std::string& directory) {
  int number = 0;
  for (const std::string& seed : target->seeds()) {
    std::ofstream(directory + "/seed" + std::to_string(number++), std::ios::binary) << seed;
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("TVIEWS_FUZZ_TARGET");
  for (const tviews::FuzzTarget& known : tviews::FuzzTargets()) {
    if (name != nullptr && std::string_view(name) == known.name) target = &known;
    if (name == nullptr) std::printf("%s\n", known.name);
  }
  if (target == nullptr) std::exit(name == nullptr ? 0 : 1);
  if (const char* const seeds = std::getenv("TVIEWS_FUZZ_SEEDS"); seeds != nullptr) {
    WriteSeeds(seeds);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  target->run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
