// The server's snapshots as values that outlive them.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_SERVER_SNAPSHOT_H_
#define PG_TVIEWS_SHARED_PG_SERVER_SNAPSHOT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "shared/outbox_row.h"
#include "shared/types.h"

struct SnapshotData;

namespace tviews::pg {

// What `snapshot` sees of top-level transaction `xid`. A transaction older than the commit log is
// kAborted if the log cannot tell: its entry is dropped, its outbox row is found by a scan
// (ATTACKS B5); `*forgotten` is then set.
absl::StatusOr<Outcome> OutcomeUnder(SnapshotData* snapshot, FullXid xid, bool* forgotten);

// The id that the next transaction will get.
FullXid NextXid();

// True while the top-level transaction runs or is being ended. False for one that ended so long ago
// that its id has been used again.
bool IsInProgress(FullXid xid);

// True while a session runs the top-level transaction: not if it is prepared, or has ended.
bool HasSession(FullXid xid);

// The bounds of an MVCC snapshot, as pg_current_snapshot() computes them.
SnapshotBounds BoundsOf(SnapshotData* snapshot);

// The full id of a recent 32-bit id.
FullXid WidenXid(std::uint32_t xid);

// The text form of type pg_snapshot, "xmin:xmax:xip,...".
std::string FormatSnapshot(const SnapshotBounds& bounds);
absl::StatusOr<SnapshotBounds> ParseSnapshot(std::string_view text);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_SNAPSHOT_H_
