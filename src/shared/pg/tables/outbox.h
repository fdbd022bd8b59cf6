// The outbox: the durable table of change records.
//
// Layer:   pg
// Sharing: a table; rows become visible with their transaction
// Errors:  returns Status
//
// One row per writing transaction, inserted in it at PRE_COMMIT or PRE_PREPARE, by heap_insert: no
// executor, no trigger, no index. Deleted by heap_delete for the same reasons, and because a FOR
// ALL TABLES publication would refuse a DELETE without replica identity (ATTACKS B7).

#ifndef PG_TVIEWS_SHARED_PG_TABLES_OUTBOX_H_
#define PG_TVIEWS_SHARED_PG_TABLES_OUTBOX_H_

#include <span>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/outbox_row.h"
#include "shared/types.h"

struct SnapshotData;

namespace tviews::pg {

class Outbox {
 public:
  // Inserts a row of the current transaction and returns where it stands.
  static absl::StatusOr<RowPointer> Insert(std::string_view payload);

  // Calls `visit` with every row that `snapshot` sees: its place, its inserting transaction, its
  // payload (valid during the call). Memory stays bounded by one row.
  using Visit = absl::FunctionRef<absl::Status(RowPointer, FullXid, std::string_view)>;
  static absl::Status Scan(SnapshotData* snapshot, Visit visit);

  // The same, and calls `keep` for every row whose transaction is in progress under `snapshot`.
  using Keep = absl::FunctionRef<void(const OutboxRow&)>;
  static absl::Status ScanAll(SnapshotData* snapshot, Visit visit, Keep keep);

  // Calls `visit` with the payload of `row`, if it is there.
  static absl::Status Fetch(SnapshotData* snapshot, const OutboxRow& row,
                            absl::FunctionRef<absl::Status(std::string_view)> visit);

  // True if all the given rows are there.
  static absl::StatusOr<bool> AreThere(SnapshotData* snapshot, std::span<const OutboxRow> rows);

  // Deletes the given rows, in block order. A row whose xmin is not the entry's xid, or that is
  // gone, is left alone (ATTACKS A15).
  static absl::Status Delete(SnapshotData* snapshot, std::span<OutboxRow> rows);

  // Deletes every row that `snapshot` sees, in one pass and without a list of them.
  static absl::Status DeleteSeen(SnapshotData* snapshot);

  // True if `snapshot` sees a row of transaction `xid`. Payloads are not read.
  static absl::StatusOr<bool> HasRowOf(SnapshotData* snapshot, FullXid xid);

  // True if `snapshot` sees no row.
  static absl::StatusOr<bool> IsEmpty(SnapshotData* snapshot);
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_OUTBOX_H_
