// The executor's hooks: statements that write a TVIEW are refused.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises through pg::Enter
//
// The permission check sees every relation of a plan with the privileges it requires: INSERT,
// UPDATE, DELETE, MERGE, COPY FROM, and SELECT FOR UPDATE or SHARE, which would stall the appliers
// (ATTACKS A23). Appliers write through the table access method and never come here.

#ifndef PG_TVIEWS_BACKEND_EXECUTOR_HOOK_H_
#define PG_TVIEWS_BACKEND_EXECUTOR_HOOK_H_

#include "absl/status/status.h"
#include "shared/types.h"

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterExecutorHooks();

// Fails if `relation` is a TVIEW and pg_tviews.protect is on.
absl::Status CheckMayChange(RelationId relation);

// While an object lives, statements read TVIEWs as their snapshot shows them: nothing waits and no
// snapshot is replaced. For the initial fill, which would wait for an applier that may itself wait
// for this transaction's locks (ATTACKS A2), and for comparisons under a chosen snapshot.
class ReaderBypass {
 public:
  ReaderBypass() : outer_(is_active_) { is_active_ = true; }
  ~ReaderBypass() { is_active_ = outer_; }
  ReaderBypass(const ReaderBypass&) = delete;
  ReaderBypass& operator=(const ReaderBypass&) = delete;

  static bool IsActive() { return is_active_; }

 private:
  static inline bool is_active_ = false;
  const bool outer_;
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_EXECUTOR_HOOK_H_
