// How much CPU a worker leaves to sessions: pg_tviews.worker_nice.
//
// Layer:   worker
// Sharing: this process's nice value
// Errors:  cannot fail; what the system refuses is an answer

#ifndef PG_TVIEWS_WORKER_CPU_PRIORITY_H_
#define PG_TVIEWS_WORKER_CPU_PRIORITY_H_

namespace tviews::worker {

// Takes on the nice value that the setting adds to the server's own, if this process has not got it
// yet. False if the system refuses: only privileged processes may become less nice again, so a new
// process has to take over.
bool TakeNiceValue() noexcept;

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CPU_PRIORITY_H_
