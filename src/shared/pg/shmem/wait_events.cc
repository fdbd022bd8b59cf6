#include "shared/pg/shmem/wait_events.h"

#include <cstddef>

#include "shared/pg/boundary/postgres_begin.h"
#include <pgstat.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

#if PG_VERSION_NUM >= 170000

namespace {

// In the order of Wait.
// clang-format off
constexpr const char* kNames[] = {
    "PgTviewsLauncherMain",
    "PgTviewsApplierMain",
    "PgTviewsApplierBackOff",
    "PgTviewsFrontier",
    "PgTviewsEndOfBatch",
    "PgTviewsEndOfApplier",
};
// clang-format on
std::uint32_t known[sizeof(kNames) / sizeof(kNames[0])];

}  // namespace

std::uint32_t WaitEvent(Wait wait) {
  const auto place = static_cast<std::size_t>(wait);
  if (known[place] == 0) known[place] = WaitEventExtensionNew(kNames[place]);
  return known[place];
}

#else

std::uint32_t WaitEvent(Wait) { return PG_WAIT_EXTENSION; }

#endif

}  // namespace tviews::pg
