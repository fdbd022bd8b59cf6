// Commands about rows and storage that would break a TVIEW, or stop the refresh of all.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  FailedPrecondition with a hint that says what to do instead

#ifndef PG_TVIEWS_BACKEND_DDL_UPKEEP_REFUSALS_H_
#define PG_TVIEWS_BACKEND_DDL_UPKEEP_REFUSALS_H_

#include "absl/status/status.h"

struct ClusterStmt;
struct LockStmt;
struct RefreshMatViewStmt;
struct TruncateStmt;

namespace tviews::backend {

absl::Status CheckTruncate(const TruncateStmt* statement);
// An unpopulated materialized view cannot be read.
absl::Status CheckRefresh(const RefreshMatViewStmt* statement);
// Modes that conflict with the applier's ROW EXCLUSIVE. pg_dump takes ACCESS SHARE.
absl::Status CheckLock(const LockStmt* statement);
// The outbox is addressed by ctid.
absl::Status CheckCluster(const ClusterStmt* statement);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_UPKEEP_REFUSALS_H_
