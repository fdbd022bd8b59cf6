#include "shared/pg/tables/outbox.h"

#include <algorithm>
#include <cstring>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/columns.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/heapam.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/transam.h>
#include <access/xact.h>
#include <miscadmin.h>
#include <storage/bufmgr.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// The lock is kept until the transaction ends where something was written.
absl::StatusOr<Relation> Open(LOCKMODE lock) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId id, CatalogTableId(CatalogTable::kOutbox));
  return CallFor([id, lock] { return table_open(id, lock); });
}

RowPointer ToRowPointer(const ItemPointerData& tid) {
  return {.block = ItemPointerGetBlockNumber(&tid), .offset = ItemPointerGetOffsetNumber(&tid)};
}

ItemPointerData ToItemPointer(RowPointer row) {
  ItemPointerData tid;
  ItemPointerSet(&tid, row.block, row.offset);
  return tid;
}

// The inserting transaction with its epoch. Freezing keeps the raw xmin, and no row stays in the
// outbox for two billion transactions.
FullXid InsertedBy(HeapTupleHeader header, FullTransactionId next) {
  const TransactionId xmin = HeapTupleHeaderGetRawXmin(header);
  FullXid epoch = EpochFromFullTransactionId(next);
  if (xmin > XidFromFullTransactionId(next)) --epoch;
  return epoch << 32 | xmin;
}

// The payload of `tuple`, detoasted in the current memory context. Inside a Call.
struct Bytes {
  const char* data;
  std::size_t size;
};
Bytes PayloadOf(HeapTuple tuple, TupleDesc description) {
  bool is_null = false;
  const Datum value = heap_getattr(tuple, OutboxColumn::kPayload, description, &is_null);
  if (is_null) return {nullptr, 0};
  varlena* const bytes = pg_detoast_datum_packed(reinterpret_cast<varlena*>(value));
  return {VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
}

// True if `row` is there; with a copy of it. Inside a Call.
bool IsRowOf(Relation outbox, Snapshot snapshot, const OutboxRow& row, HeapTuple* copy) {
  HeapTupleData tuple;
  tuple.t_self = ToItemPointer(row.place);
  Buffer buffer = InvalidBuffer;
  if (!heap_fetch(outbox, snapshot, &tuple, &buffer, false)) return false;
  const bool is_same =
      HeapTupleHeaderGetRawXmin(tuple.t_data) == static_cast<TransactionId>(row.xid);
  if (is_same && copy != nullptr) *copy = heap_copytuple(&tuple);
  ReleaseBuffer(buffer);
  return is_same;
}

absl::Status RowIsLocked() {
  return MakeError(
      absl::StatusCode::kAborted,
      {.message = "a row of the outbox is locked by another transaction", .sqlstate = "55P03"});
}

// Whether `snapshot` sees a row that is not deleted and whose transaction has not aborted.
bool IsSeen(HeapTupleHeader header, SnapshotData* snapshot) {
  return HeapTupleHeaderXminFrozen(header) ||
         !XidInMVCCSnapshot(HeapTupleHeaderGetRawXmin(header), snapshot);
}

// Without `keep`, the rows that `snapshot` sees; with it, also those in progress.
absl::Status ScanRows(SnapshotData* snapshot, Outbox::Visit visit, const Outbox::Keep* keep) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(AccessShareLock));
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  Snapshot const scanned = keep == nullptr ? snapshot : &dirty;
  TVIEWS_ASSIGN_OR_RETURN(const TableScanDesc scan, CallFor([outbox, scanned] {
                            return table_beginscan(outbox, scanned, 0, nullptr);
                          }));
  TVIEWS_ASSIGN_OR_RETURN(MemoryScope memory, MemoryScope::Make("pg_tviews outbox row"));
  absl::Status status;
  while (status.ok()) {
    memory.Reset();
    HeapTuple tuple = nullptr;
    bool is_seen = true;
    Bytes payload{};
    FullTransactionId next{};
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      CHECK_FOR_INTERRUPTS();
      tuple = heap_getnext(scan, ForwardScanDirection);
      if (tuple == nullptr) return;
      next = ReadNextFullTransactionId();
      is_seen = keep == nullptr || IsSeen(tuple->t_data, snapshot);
      if (is_seen) payload = PayloadOf(tuple, RelationGetDescr(outbox));
    }));
    if (tuple == nullptr) break;
    const RowPointer row = ToRowPointer(tuple->t_self);
    const FullXid xid = InsertedBy(tuple->t_data, next);
    if (is_seen) {
      status = visit(row, xid, std::string_view(payload.data, payload.size));
    } else {
      (*keep)({row, xid});
    }
  }
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    table_endscan(scan);
    table_close(outbox, AccessShareLock);
  }));
  return status;
}

}  // namespace

absl::StatusOr<RowPointer> Outbox::Insert(std::string_view payload) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(RowExclusiveLock));
  return CallFor([outbox, payload] {
    const std::size_t size = VARHDRSZ + payload.size();
    char* const bytes = static_cast<char*>(palloc(size));
    SET_VARSIZE(bytes, size);
    std::memcpy(VARDATA(bytes), payload.data(), payload.size());
    Datum value = PointerGetDatum(bytes);
    bool is_null = false;
    HeapTuple const tuple = heap_form_tuple(RelationGetDescr(outbox), &value, &is_null);
    pfree(bytes);
    // Before a commit no snapshot is left; what is written to a TOAST table needs one.
    PushActiveSnapshot(GetTransactionSnapshot());
    heap_insert(outbox, tuple, GetCurrentCommandId(true), 0, nullptr);
    PopActiveSnapshot();
    const RowPointer row = ToRowPointer(tuple->t_self);
    heap_freetuple(tuple);
    table_close(outbox, NoLock);
    return row;
  });
}

absl::Status Outbox::Scan(SnapshotData* snapshot, Visit visit) {
  return ScanRows(snapshot, visit, nullptr);
}

absl::Status Outbox::ScanAll(SnapshotData* snapshot, Visit visit, Keep keep) {
  return ScanRows(snapshot, visit, &keep);
}

absl::Status Outbox::Fetch(SnapshotData* snapshot, const OutboxRow& row,
                           absl::FunctionRef<absl::Status(std::string_view)> visit) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(AccessShareLock));
  TVIEWS_ASSIGN_OR_RETURN(MemoryScope memory, MemoryScope::Make("pg_tviews outbox row"));
  bool found = false;
  Bytes payload{};
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    HeapTuple tuple = nullptr;
    if (row.place.block < RelationGetNumberOfBlocks(outbox)) {
      found = IsRowOf(outbox, snapshot, row, &tuple);
    }
    if (found) payload = PayloadOf(tuple, RelationGetDescr(outbox));
    table_close(outbox, AccessShareLock);
  }));
  if (!found) return absl::OkStatus();
  return visit(std::string_view(payload.data, payload.size));
}

absl::StatusOr<bool> Outbox::AreThere(SnapshotData* snapshot, std::span<const OutboxRow> rows) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(AccessShareLock));
  return CallFor([&] {
    const BlockNumber blocks = RelationGetNumberOfBlocks(outbox);
    bool are_there = true;
    for (const OutboxRow& row : rows) {
      CHECK_FOR_INTERRUPTS();
      are_there = row.place.block < blocks && IsRowOf(outbox, snapshot, row, nullptr);
      if (!are_there) break;
    }
    table_close(outbox, AccessShareLock);
    return are_there;
  });
}

absl::Status Outbox::Delete(SnapshotData* snapshot, std::span<OutboxRow> rows) {
  std::sort(rows.begin(), rows.end(),
            [](const OutboxRow& a, const OutboxRow& b) { return a.place < b.place; });
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(RowExclusiveLock));
  bool is_locked = false;
  // A row that the snapshot sees cannot be pruned meanwhile, so its place is safe to delete at.
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    const BlockNumber blocks = RelationGetNumberOfBlocks(outbox);
    const CommandId command = GetCurrentCommandId(true);
    for (const OutboxRow& row : rows) {
      CHECK_FOR_INTERRUPTS();
      if (row.place.block >= blocks || !IsRowOf(outbox, snapshot, row, nullptr)) continue;
      ItemPointerData tid = ToItemPointer(row.place);
      TM_FailureData failure;
      const TM_Result result =
          heap_delete(outbox, &tid, command, InvalidSnapshot, false, &failure, false);
      is_locked = is_locked || result == TM_BeingModified;
    }
    table_close(outbox, NoLock);
  }));
  return is_locked ? RowIsLocked() : absl::OkStatus();
}

absl::Status Outbox::DeleteSeen(SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(RowExclusiveLock));
  bool is_locked = false;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    const CommandId command = GetCurrentCommandId(true);
    const TableScanDesc scan = table_beginscan(outbox, snapshot, 0, nullptr);
    HeapTuple tuple = nullptr;
    while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
      CHECK_FOR_INTERRUPTS();
      TM_FailureData failure;
      const TM_Result result =
          heap_delete(outbox, &tuple->t_self, command, InvalidSnapshot, false, &failure, false);
      is_locked = is_locked || result == TM_BeingModified;
    }
    table_endscan(scan);
    table_close(outbox, NoLock);
  }));
  return is_locked ? RowIsLocked() : absl::OkStatus();
}

absl::StatusOr<bool> Outbox::HasRowOf(SnapshotData* snapshot, FullXid xid) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(AccessShareLock));
  return CallFor([outbox, snapshot, xid] {
    const TableScanDesc scan = table_beginscan(outbox, snapshot, 0, nullptr);
    bool found = false;
    HeapTuple tuple = nullptr;
    while (!found && (tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
      CHECK_FOR_INTERRUPTS();
      found = InsertedBy(tuple->t_data, ReadNextFullTransactionId()) == xid;
    }
    table_endscan(scan);
    table_close(outbox, AccessShareLock);
    return found;
  });
}

absl::StatusOr<bool> Outbox::IsEmpty(SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const Relation outbox, Open(AccessShareLock));
  return CallFor([outbox, snapshot] {
    const TableScanDesc scan = table_beginscan(outbox, snapshot, 0, nullptr);
    const bool is_empty = heap_getnext(scan, ForwardScanDirection) == nullptr;
    table_endscan(scan);
    table_close(outbox, AccessShareLock);
    return is_empty;
  });
}

}  // namespace tviews::pg
