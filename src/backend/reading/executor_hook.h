// The executor's hooks: statements that read a TVIEW wait, statements that write one are refused.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises through pg::Enter
//
// The start of a query looks through its plan and waits (reading.h); its run is noted, so that the
// queries of its STABLE functions keep its snapshot.
//
// The permission check sees every relation of a plan with the privileges it requires: INSERT,
// UPDATE, DELETE, MERGE, COPY FROM, and SELECT FOR UPDATE or SHARE, which would stall the appliers
// (ATTACKS A23). Appliers write through the table access method and never come here.

#ifndef PG_TVIEWS_BACKEND_READING_EXECUTOR_HOOK_H_
#define PG_TVIEWS_BACKEND_READING_EXECUTOR_HOOK_H_

#include "absl/status/status.h"
#include "shared/types.h"

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterExecutorHooks();

// Fails if `relation` is a TVIEW and pg_tviews.protect is on.
absl::Status CheckMayChange(RelationId relation);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_EXECUTOR_HOOK_H_
