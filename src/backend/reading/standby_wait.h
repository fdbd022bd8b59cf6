// Waiting on a physical standby for what has been replicated.
//
// Layer:   backend
// Sharing: tables only: no applier lives here
// Errors:  returns Status; interruptible

#ifndef PG_TVIEWS_BACKEND_READING_STANDBY_WAIT_H_
#define PG_TVIEWS_BACKEND_READING_STANDBY_WAIT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "backend/reading/slot_wait.h"
#include "shared/types.h"

namespace tviews::backend {

// Returns when transaction `xid` has ended here and, if it committed, the replicated TVIEWs contain
// it: the frontier row includes it, or no outbox row of it is left (ATTACKS B12: it may never have
// had one). `function` is the OID of the SQL function that was called. Called as
// `SELECT function(...)` and nothing else, the wait holds no snapshot. Called otherwise, replay may
// have to wait for it, and it for replay; max_standby_streaming_delay ends that with an error.
// `lane`: only the TVIEWs of that one count.
absl::Status WaitOnStandby(FullXid xid, const std::optional<std::string>& lane, RelationId function,
                           const Deadline& deadline);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_READING_STANDBY_WAIT_H_
