// The settings that a process of ours works with, whatever the database or the role says.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  none of these values is refused

#ifndef PG_TVIEWS_WORKER_BATCH_PINNED_SETTINGS_H_
#define PG_TVIEWS_WORKER_BATCH_PINNED_SETTINGS_H_

namespace tviews::worker {

// Undoes what ALTER DATABASE or ALTER ROLE ... SET may have brought along and a batch cannot live
// with (ATTACKS B8). To be run in a Call.
void PinSettings();

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_PINNED_SETTINGS_H_
