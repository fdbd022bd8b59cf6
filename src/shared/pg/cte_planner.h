// Plans for the recomputation of keys, which WITH queries would otherwise keep from using them.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail; planning raises
//
// PostgreSQL computes a CTE as a whole if it is MATERIALIZED or used several times, also for one
// key (LINEAGE J). A TVIEW's query has no volatile functions, so computing it in each place gives
// the same rows, and there the key goes in. Both are planned; the cheaper plan is taken.

#ifndef PG_TVIEWS_SHARED_PG_CTE_PLANNER_H_
#define PG_TVIEWS_SHARED_PG_CTE_PLANNER_H_

namespace tviews::pg {

// While an object lives, statements are planned that way.
class CtesInPlace {
 public:
  CtesInPlace() : outer_(is_active_) { is_active_ = true; }
  ~CtesInPlace() { is_active_ = outer_; }
  CtesInPlace(const CtesInPlace&) = delete;
  CtesInPlace& operator=(const CtesInPlace&) = delete;

  static bool IsActive() { return is_active_; }

 private:
  static inline bool is_active_ = false;
  const bool outer_;
};

// Installs the hook. REQUIRES: called at load.
void RegisterPlannerHook();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_CTE_PLANNER_H_
