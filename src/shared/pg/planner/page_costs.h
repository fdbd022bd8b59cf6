// What a page out of order costs where the keys of a batch are looked up and recomputed.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail
//
// The server's default, four times a page in order, is that of a disk that has to move its head.
// The rows that a batch reads lie beside those that somebody has just written, mostly in memory.
// With the default a batch of 2,000 changed rows scans and hashes tables of 100,000 for its joins:
// twice the time of looking the rows up (docs/benchmarks, Writers).

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_PAGE_COSTS_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_PAGE_COSTS_H_

namespace tviews::pg {

// While an object lives, statements are planned with random_page_cost at most 1.1 times
// seq_page_cost. What a tablespace says of itself goes first, as always.
class PageCostsOfBatch {
 public:
  PageCostsOfBatch();
  ~PageCostsOfBatch();
  PageCostsOfBatch(const PageCostsOfBatch&) = delete;
  PageCostsOfBatch& operator=(const PageCostsOfBatch&) = delete;

 private:
  const double outer_;
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_PAGE_COSTS_H_
