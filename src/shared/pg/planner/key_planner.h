// Plans for the recomputation of keys: those that the server would make of the query as it is
// written, and of the same query with the key handed down to where the server does not take it.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  cannot fail; planning raises
//
// PostgreSQL computes a CTE as a whole if it is MATERIALIZED or used several times, also for one
// key (LINEAGE J); and it groups all rows of a subquery that is joined by a column whose value is
// only found on the way (narrow_query.h). The rewritten queries give the same rows. All are
// planned; the cheapest plan is taken. All build documents with the extension's functions
// (document_functions.h).

#ifndef PG_TVIEWS_SHARED_PG_PLANNER_KEY_PLANNER_H_
#define PG_TVIEWS_SHARED_PG_PLANNER_KEY_PLANNER_H_

namespace tviews::pg {

// While an object lives, statements are planned that way.
class KeyPlanning {
 public:
  KeyPlanning() : outer_(is_active_) { is_active_ = true; }
  ~KeyPlanning() { is_active_ = outer_; }
  KeyPlanning(const KeyPlanning&) = delete;
  KeyPlanning& operator=(const KeyPlanning&) = delete;

  static bool IsActive() { return is_active_; }

 private:
  static inline bool is_active_ = false;
  const bool outer_;
};

// Installs the hook. REQUIRES: called at load.
void RegisterPlannerHook();

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_PLANNER_KEY_PLANNER_H_
