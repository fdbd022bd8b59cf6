#include "shared/pg/planner/page_costs.h"

#include <algorithm>

#include "shared/pg/boundary/postgres_begin.h"
#include <optimizer/optimizer.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

PageCostsOfBatch::PageCostsOfBatch() : outer_(random_page_cost) {
  random_page_cost = std::min(random_page_cost, 1.1 * seq_page_cost);
}

PageCostsOfBatch::~PageCostsOfBatch() { random_page_cost = outer_; }

}  // namespace tviews::pg
