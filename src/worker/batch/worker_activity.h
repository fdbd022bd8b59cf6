// What a worker shows of itself in pg_stat_activity and in its process title.
//
// Layer:   worker
// Sharing: the server's own activity entry of this process
// Errors:  cannot fail
//
// The text says what is being refreshed, as a statement would: `refresh "public"."tv_post": 17
// keys`.

#ifndef PG_TVIEWS_WORKER_BATCH_WORKER_ACTIVITY_H_
#define PG_TVIEWS_WORKER_BATCH_WORKER_ACTIVITY_H_

#include "shared/tview_definition.h"
#include "worker/core/cascade.h"

namespace tviews::worker {

// Its affected keys are being looked for.
void ShowSearch(const TviewDefinition& tview) noexcept;
// They are being recomputed.
void ShowRefresh(const TviewDefinition& tview, const AffectedKeys& affected) noexcept;
// Nothing is to be done.
void ShowIdle() noexcept;

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_WORKER_ACTIVITY_H_
