// The launcher: the one static background worker, which starts the appliers.
//
// Layer:   worker
// Sharing: SlotTable.launcher; one process per server
// Errors:  a database whose applier cannot be started is tried again with back-off
//
// At its start it visits every connectable database once, because an outbox may hold work from
// before a crash, a promotion or a restart. Afterwards it starts an applier where a slot asks for
// one (needs_applier), where a slot has work and no applier, and, when writers found no slot, for
// every database in turn. New databases are visited too, within a minute. At most
// pg_tviews.max_workers live at a time; where that is too few, appliers give way in turn. They are
// never restarted by the postmaster, so counting and back-off have one owner.

#ifndef PG_TVIEWS_WORKER_LAUNCHER_LAUNCHER_H_
#define PG_TVIEWS_WORKER_LAUNCHER_LAUNCHER_H_

namespace tviews::worker {

// Registers the worker with the postmaster. Called once, from _PG_init.
void RegisterLauncher();

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_LAUNCHER_LAUNCHER_H_
