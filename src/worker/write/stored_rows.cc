#include "worker/write/stored_rows.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/heapam.h>
#include <access/itup.h>
#include <access/nbtree.h>
#include <access/relscan.h>
#include <access/tableam.h>
#include <executor/tuptable.h>
#include <fmgr.h>
#include <storage/bufmgr.h>
#include <storage/bufpage.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct StoredRows {
  Relation tview;
  Relation index;
  SnapshotData* snapshot;
  bool is_heap;
  IndexScanDesc lookup;  // of one key
  ScanKeyData equal;

  // Stepping, for keys that are passed by value only: one is kept from call to call.
  bool may_step;
  IndexScanDesc steps;  // of all keys from one on; made when first needed
  ScanKeyData at_least;
  FmgrInfo compare;
  bool is_stepping;
  bool has_entry;  // false: `steps` is at the end of the index
  Datum last;      // the key that was looked for last
  int ascending;   // how many keys have come in order
  int jumps;       // how often the wanted entry was not near
};

namespace {

// So many keys in order make stepping worth a try.
constexpr int kRun = 32;
// An entry further away than this is reached faster by a descent.
constexpr int kMaxSteps = 6;
// After so many descents stepping is given up for the next kPause keys.
constexpr int kMaxJumps = 4;
constexpr int kPause = 1000;

// So much room in a page is enough for one more version of any row that is not toasted.
constexpr Size kRoom = BLCKSZ / 4;

// Makes the page of the scan's entry its current one. The scan by itself prunes a page that it
// comes to as soon as the page has less room than the fill factor leaves for updates, which after
// the first update is always; here a page is pruned when the room gets short.
void GoToPage(StoredRows* rows, IndexScanDesc scan) {
  auto* const fetch = reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch);
  fetch->xs_cbuf = ReleaseAndReadBuffer(fetch->xs_cbuf, rows->tview,
                                        ItemPointerGetBlockNumber(&scan->xs_heaptid));
  if (PageGetHeapFreeSpace(BufferGetPage(fetch->xs_cbuf)) < kRoom) {
    heap_page_prune_opt(rows->tview, fetch->xs_cbuf);
  }
}

// The version that the snapshot sees of the scan's entry, if there is one.
bool Fetch(StoredRows* rows, IndexScanDesc scan, TupleTableSlot* row) {
  ExecClearTuple(row);  // a page that it keeps pinned cannot be pruned
  if (rows->is_heap) GoToPage(rows, scan);
  return index_fetch_heap(scan, row);
}

bool Lookup(StoredRows* rows, Datum key, TupleTableSlot* row) {
  rows->equal.sk_argument = key;
  index_rescan(rows->lookup, &rows->equal, 1, nullptr, 0);
  while (index_getnext_tid(rows->lookup, ForwardScanDirection) != nullptr) {
    if (Fetch(rows, rows->lookup, row)) return true;
  }
  return false;
}

int Compare(StoredRows* rows, Datum a, Datum b) {
  return DatumGetInt32(FunctionCall2Coll(&rows->compare, rows->index->rd_indcollation[0], a, b));
}

Datum EntryKey(StoredRows* rows) {
  bool is_null = false;
  return index_getattr(rows->steps->xs_itup, 1, rows->steps->xs_itupdesc, &is_null);
}

void NextEntry(StoredRows* rows) {
  rows->has_entry = index_getnext_tid(rows->steps, ForwardScanDirection) != nullptr;
}

// Goes to the first entry of `key` or of a greater one.
void Descend(StoredRows* rows, Datum key) {
  if (rows->steps == nullptr) {
    rows->steps = pg::compat::BeginIndexScan(rows->tview, rows->index, rows->snapshot, 1);
    rows->steps->xs_want_itup = true;
  }
  rows->at_least.sk_argument = key;
  index_rescan(rows->steps, &rows->at_least, 1, nullptr, 0);
  NextEntry(rows);
}

// REQUIRES: `key` is greater than the last one, so that its entries are not behind us.
bool Step(StoredRows* rows, Datum key, TupleTableSlot* row) {
  int steps = 0;
  int order = -1;
  while (rows->has_entry && (order = Compare(rows, EntryKey(rows), key)) < 0) {
    if (++steps <= kMaxSteps) {
      NextEntry(rows);
      continue;
    }
    Descend(rows, key);
    steps = 0;
    if (++rows->jumps < kMaxJumps) continue;
    rows->is_stepping = false;
    rows->ascending = -kPause;
  }
  if (steps > 0) rows->jumps = 0;
  // Other versions of the row have entries with the same key.
  for (; rows->has_entry && order == 0; order = Compare(rows, EntryKey(rows), key)) {
    if (Fetch(rows, rows->steps, row)) return true;
    NextEntry(rows);
    if (!rows->has_entry) break;
  }
  return false;
}

void PrepareStepping(StoredRows* rows) {
  const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rows->index), 0);
  rows->may_step = attribute->attbyval;
  if (!rows->may_step) return;
  const FmgrInfo* const order = index_getprocinfo(rows->index, 1, BTORDER_PROC);
  fmgr_info_copy(&rows->compare, const_cast<FmgrInfo*>(order), GetMemoryChunkContext(rows));
}

void PrepareKey(StoredRows* rows, StrategyNumber strategy, ScanKeyData* key) {
  const Oid type = rows->index->rd_opcintype[0];
  const Oid compare =
      get_opfamily_member(rows->index->rd_opfamily[0], type, type, static_cast<int16>(strategy));
  ScanKeyEntryInitialize(key, 0, 1, strategy, InvalidOid, rows->index->rd_indcollation[0],
                         get_opcode(compare), 0);
}

bool Find(StoredRows* rows, Datum key, TupleTableSlot* row) {
  if (!rows->may_step) return Lookup(rows, key, row);
  const bool is_ascending = rows->ascending != 0 && Compare(rows, rows->last, key) < 0;
  rows->last = key;
  if (!is_ascending) {
    rows->is_stepping = false;
    rows->ascending = rows->ascending < 0 ? rows->ascending + 1 : 1;
    return Lookup(rows, key, row);
  }
  if (rows->is_stepping) return Step(rows, key, row);
  if (++rows->ascending < kRun) return Lookup(rows, key, row);
  rows->is_stepping = true;
  rows->jumps = 0;
  Descend(rows, key);
  return Step(rows, key, row);
}

}  // namespace

StoredRows* OpenStoredRows(RelationData* tview, SnapshotData* snapshot) {
  const Oid index = pg::compat::PrimaryKeyOf(tview);
  if (!OidIsValid(index)) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("TVIEW \"%s\" has lost its primary key", RelationGetRelationName(tview)),
                    errhint("Add it again with ALTER TABLE ... ADD PRIMARY KEY.")));
  }
  auto* const rows = static_cast<StoredRows*>(palloc0(sizeof(StoredRows)));
  rows->tview = tview;
  rows->snapshot = snapshot;
  rows->is_heap = tview->rd_tableam == GetHeapamTableAmRoutine();
  rows->index = index_open(index, AccessShareLock);
  PrepareKey(rows, BTEqualStrategyNumber, &rows->equal);
  PrepareKey(rows, BTGreaterEqualStrategyNumber, &rows->at_least);
  rows->lookup = pg::compat::BeginIndexScan(tview, rows->index, snapshot, 1);
  PrepareStepping(rows);
  return rows;
}

// What a scan allocates on the way (the list of dead entries) lives as long as the scan, not as
// long as the row.
bool FindStoredRow(StoredRows* rows, std::uintptr_t key, TupleTableSlot* row) {
  MemoryContext const previous = MemoryContextSwitchTo(GetMemoryChunkContext(rows));
  const bool found = Find(rows, key, row);
  MemoryContextSwitchTo(previous);
  return found;
}

void CloseStoredRows(StoredRows* rows) {
  index_endscan(rows->lookup);
  if (rows->steps != nullptr) index_endscan(rows->steps);
  index_close(rows->index, NoLock);
}

}  // namespace tviews::worker
