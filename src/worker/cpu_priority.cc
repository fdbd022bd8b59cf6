#include "worker/cpu_priority.h"

#include <sys/resource.h>

#include "shared/pg/settings.h"

namespace tviews::worker {
namespace {

int applied_nice = 0;  // what of this process's nice value comes from the setting

}  // namespace

bool TakeNiceValue() noexcept {
  const int wanted = pg::settings::worker_nice;
  if (wanted == applied_nice) return true;
  // Values beyond the system's range are cut off by it.
  const int of_server = getpriority(PRIO_PROCESS, 0) - applied_nice;
  if (setpriority(PRIO_PROCESS, 0, of_server + wanted) != 0) return false;
  applied_nice = wanted;
  return true;
}

}  // namespace tviews::worker
