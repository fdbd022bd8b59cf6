#include "shared/types.h"

#include <algorithm>

namespace tviews {

bool SnapshotBounds::Includes(FullXid xid) const {
  if (xid < xmin) return true;
  if (xid >= xmax) return false;
  return !std::binary_search(in_progress.begin(), in_progress.end(), xid);
}

}  // namespace tviews
