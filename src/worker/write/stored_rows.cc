#include "worker/write/stored_rows.h"
#include "worker/write/stored_places.h"

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
#include <utils/datum.h>
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
  int columns;                    // of the key
  int position[kMostKeyColumns];  // of a column of the index in the key
  IndexScanDesc lookup;           // of one key
  ScanKeyData equal[kMostKeyColumns];

  // Stepping, for keys that are passed by value only: one is kept from call to call. Steps lead
  // through the keys that differ in the last column of the index only.
  bool may_step;
  IndexScanDesc steps;  // of all such keys from one on; made when first needed
  ScanKeyData at_least[kMostKeyColumns];
  FmgrInfo compare[kMostKeyColumns];
  bool is_stepping;
  bool has_entry;               // false: `steps` is at its end
  Datum last[kMostKeyColumns];  // the key that was looked for last, as the index orders columns
  int ascending;                // how many keys have come in order
  int jumps;                    // how often the wanted entry was not near

  KeyAttributes key;
  bool expects_whole;  // and the places of all rows may be worth reading
  int descents;
  StoredPlaces* places;  // once they are read
};

namespace {

// So many keys in order make stepping worth a try.
constexpr int kRun = 32;
// An entry further away than this is reached faster by a descent.
constexpr int kMaxSteps = 6;
// After so many descents stepping is given up for the next kPause keys.
constexpr int kMaxJumps = 4;
constexpr int kPause = 1000;
// After so many descents in a comparison of all rows the places of all of them are read.
constexpr int kMaxDescents = 1000;

// So much room in a page is enough for one more version of any row that is not toasted.
constexpr Size kRoom = BLCKSZ / 4;

void PruneIfFull(StoredRows* rows, Buffer page) {
  if (PageGetHeapFreeSpace(BufferGetPage(page)) < kRoom) heap_page_prune_opt(rows->tview, page);
}

// Makes the page of the scan's entry its current one. The scan by itself prunes a page that it
// comes to as soon as the page has less room than the fill factor leaves for updates, which after
// the first update is always; here a page is pruned when the room gets short.
void GoToPage(StoredRows* rows, IndexScanDesc scan) {
  auto* const fetch = reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch);
  fetch->xs_cbuf = ReleaseAndReadBuffer(fetch->xs_cbuf, rows->tview,
                                        ItemPointerGetBlockNumber(&scan->xs_heaptid));
  PruneIfFull(rows, fetch->xs_cbuf);
}

// The version that the snapshot sees of the scan's entry, if there is one.
bool Fetch(StoredRows* rows, IndexScanDesc scan, TupleTableSlot* row) {
  ExecClearTuple(row);  // a page that it keeps pinned cannot be pruned
  if (rows->is_heap) GoToPage(rows, scan);
  return index_fetch_heap(scan, row);
}

bool Lookup(StoredRows* rows, const Datum* key, TupleTableSlot* row) {
  ++rows->descents;
  for (int i = 0; i < rows->columns; ++i) rows->equal[i].sk_argument = key[i];
  index_rescan(rows->lookup, rows->equal, rows->columns, nullptr, 0);
  while (index_getnext_tid(rows->lookup, ForwardScanDirection) != nullptr) {
    if (Fetch(rows, rows->lookup, row)) return true;
  }
  return false;
}

// True if the row has the key `key`, a datum for each of the key's columns.
bool HasKey(const StoredRows* rows, TupleTableSlot* row, const Datum* key) {
  for (int i = 0; i < rows->key.count; ++i) {
    const AttributeNumber number = rows->key.numbers[i];
    const Form_pg_attribute attribute = TupleDescAttr(row->tts_tupleDescriptor, number - 1);
    bool is_null = false;
    const Datum value = slot_getattr(row, number, &is_null);
    if (!datum_image_eq(value, key[i], attribute->attbyval, attribute->attlen)) return false;
  }
  return true;
}

bool FindByPlace(StoredRows* rows, const Datum* key, TupleTableSlot* row) {
  PlaceSearch search = BeginSearch(rows->places, key);
  RowPointer place;
  while (NextPlace(rows->places, &search, &place)) {
    ItemPointerData pointer;
    ItemPointerSet(&pointer, place.block, place.offset);
    if (table_tuple_fetch_row_version(rows->tview, &pointer, rows->snapshot, row) &&
        HasKey(rows, row, key)) {
      return true;
    }
  }
  ExecClearTuple(row);
  return false;
}

// Where there is no room for the places, every row is found by a descent.
void ReadPlaces(StoredRows* rows, TupleTableSlot* row) {
  rows->expects_whole = false;
  rows->places = ReadStoredPlaces(
      rows->tview, {.columns = rows->key.count, .numbers = rows->key.numbers}, rows->snapshot, row);
}

int CompareColumn(StoredRows* rows, int column, Datum a, Datum b) {
  return DatumGetInt32(
      FunctionCall2Coll(&rows->compare[column], rows->index->rd_indcollation[column], a, b));
}

// True if the keys differ in the last column only.
bool ArePeers(StoredRows* rows, const Datum* a, const Datum* b) {
  for (int i = 0; i + 1 < rows->columns; ++i) {
    if (CompareColumn(rows, i, a[i], b[i]) != 0) return false;
  }
  return true;
}

bool IsLess(StoredRows* rows, const Datum* a, const Datum* b) {
  for (int i = 0; i < rows->columns; ++i) {
    const int order = CompareColumn(rows, i, a[i], b[i]);
    if (order != 0) return order < 0;
  }
  return false;
}

// How the entry that the steps are at stands to `key`, its peer.
int CompareEntry(StoredRows* rows, const Datum* key) {
  bool is_null = false;
  const int last = rows->columns - 1;
  const Datum entry =
      index_getattr(rows->steps->xs_itup, last + 1, rows->steps->xs_itupdesc, &is_null);
  return CompareColumn(rows, last, entry, key[last]);
}

void NextEntry(StoredRows* rows) {
  rows->has_entry = index_getnext_tid(rows->steps, ForwardScanDirection) != nullptr;
}

// Goes to the first entry of `key` or of a greater peer.
void Descend(StoredRows* rows, const Datum* key) {
  if (rows->steps == nullptr) {
    rows->steps =
        pg::compat::BeginIndexScan(rows->tview, rows->index, rows->snapshot, rows->columns);
    rows->steps->xs_want_itup = true;
  }
  for (int i = 0; i < rows->columns; ++i) rows->at_least[i].sk_argument = key[i];
  index_rescan(rows->steps, rows->at_least, rows->columns, nullptr, 0);
  NextEntry(rows);
}

// REQUIRES: `key` is a greater peer of the last one, so that its entries are not behind us.
bool Step(StoredRows* rows, const Datum* key, TupleTableSlot* row) {
  int steps = 0;
  int order = -1;
  while (rows->has_entry && (order = CompareEntry(rows, key)) < 0) {
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
  for (; rows->has_entry && order == 0; order = CompareEntry(rows, key)) {
    if (Fetch(rows, rows->steps, row)) return true;
    NextEntry(rows);
    if (!rows->has_entry) break;
  }
  return false;
}

void PrepareStepping(StoredRows* rows) {
  rows->may_step = true;
  for (int i = 0; i < rows->columns; ++i) {
    rows->may_step &= TupleDescAttr(RelationGetDescr(rows->index), i)->attbyval;
  }
  if (!rows->may_step) return;
  for (int i = 0; i < rows->columns; ++i) {
    const FmgrInfo* const order =
        index_getprocinfo(rows->index, static_cast<AttrNumber>(i + 1), BTORDER_PROC);
    fmgr_info_copy(&rows->compare[i], const_cast<FmgrInfo*>(order), GetMemoryChunkContext(rows));
  }
}

void PrepareKey(StoredRows* rows, int column, StrategyNumber strategy, ScanKeyData* key) {
  const Oid type = rows->index->rd_opcintype[column];
  const Oid compare = get_opfamily_member(rows->index->rd_opfamily[column], type, type,
                                          static_cast<int16>(strategy));
  ScanKeyEntryInitialize(key, 0, static_cast<AttrNumber>(column + 1), strategy, InvalidOid,
                         rows->index->rd_indcollation[column], get_opcode(compare), 0);
}

bool Find(StoredRows* rows, const Datum* key, TupleTableSlot* row) {
  if (!rows->may_step) return Lookup(rows, key, row);
  const bool is_ascending = rows->ascending != 0 && IsLess(rows, rows->last, key);
  const bool is_peer = is_ascending && ArePeers(rows, rows->last, key);
  for (int i = 0; i < rows->columns; ++i) rows->last[i] = key[i];
  if (!is_ascending) {
    rows->is_stepping = false;
    rows->ascending = rows->ascending < 0 ? rows->ascending + 1 : 1;
    return Lookup(rows, key, row);
  }
  if (rows->is_stepping) {
    if (!is_peer) Descend(rows, key);
    return Step(rows, key, row);
  }
  if (++rows->ascending < kRun) return Lookup(rows, key, row);
  rows->is_stepping = true;
  rows->jumps = 0;
  Descend(rows, key);
  return Step(rows, key, row);
}

[[noreturn]] void RaiseNoPrimaryKey(Relation tview) {
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("TVIEW \"%s\" has lost its primary key", RelationGetRelationName(tview)),
                  errhint("Add it again with ALTER TABLE ... ADD PRIMARY KEY.")));
  pg_unreachable();
}

// The index orders the key's columns as whoever has created it wanted.
void FindPositions(StoredRows* rows, const KeyAttributes& key) {
  const Form_pg_index index = rows->index->rd_index;
  rows->columns = key.count;
  if (index->indnkeyatts != key.count) RaiseNoPrimaryKey(rows->tview);
  for (int i = 0; i < key.count; ++i) {
    int position = 0;
    while (position < key.count && key.numbers[position] != index->indkey.values[i]) ++position;
    if (position == key.count) RaiseNoPrimaryKey(rows->tview);
    rows->position[i] = position;
  }
}

}  // namespace

KeyAttributes AttributesOf(const TviewDefinition& tview) {
  KeyAttributes key{};
  key.is_image_equal = tview.key_is_image_equal();
  for (const KeyColumn& column : tview.key) {
    if (key.count < kMostKeyColumns) key.numbers[key.count++] = column.attribute;
  }
  return key;
}

StoredRows* OpenStoredRows(RelationData* tview, const KeyAttributes& key, SnapshotData* snapshot) {
  const Oid index = pg::compat::PrimaryKeyOf(tview);
  if (!OidIsValid(index)) RaiseNoPrimaryKey(tview);
  auto* const rows = static_cast<StoredRows*>(palloc0(sizeof(StoredRows)));
  rows->tview = tview;
  rows->snapshot = snapshot;
  rows->key = key;
  rows->is_heap = tview->rd_tableam == GetHeapamTableAmRoutine();
  rows->index = index_open(index, AccessShareLock);
  FindPositions(rows, key);
  for (int i = 0; i < key.count; ++i) {
    const bool is_last = i + 1 == key.count;
    PrepareKey(rows, i, BTEqualStrategyNumber, &rows->equal[i]);
    PrepareKey(rows, i, is_last ? BTGreaterEqualStrategyNumber : BTEqualStrategyNumber,
               &rows->at_least[i]);
  }
  rows->lookup = pg::compat::BeginIndexScan(tview, rows->index, snapshot, key.count);
  PrepareStepping(rows);
  return rows;
}

// What a scan allocates on the way (the list of dead entries) lives as long as the scan, not as
// long as the row.
bool FindStoredRow(StoredRows* rows, const std::uintptr_t* key, TupleTableSlot* row) {
  if (rows->places != nullptr) return FindByPlace(rows, key, row);
  Datum ordered[kMostKeyColumns];
  for (int i = 0; i < rows->columns; ++i) ordered[i] = key[rows->position[i]];
  MemoryContext const previous = MemoryContextSwitchTo(GetMemoryChunkContext(rows));
  if (rows->expects_whole && rows->descents >= kMaxDescents) ReadPlaces(rows, row);
  const bool found =
      rows->places != nullptr ? FindByPlace(rows, key, row) : Find(rows, ordered, row);
  MemoryContextSwitchTo(previous);
  return found;
}

void ExpectWhole(StoredRows* rows) { rows->expects_whole = rows->key.is_image_equal; }

// A page that is reached through the index has been pruned on the way.
void MakeRoom(StoredRows* rows, TupleTableSlot* row) {
  const BlockNumber block = ItemPointerGetBlockNumber(&row->tts_tid);
  ExecClearTuple(row);
  if (rows->places == nullptr || !rows->is_heap) return;
  const Buffer page = ReadBuffer(rows->tview, block);
  PruneIfFull(rows, page);
  ReleaseBuffer(page);
}

void CloseStoredRows(StoredRows* rows) {
  if (rows->places != nullptr) FreeStoredPlaces(rows->places);
  index_endscan(rows->lookup);
  if (rows->steps != nullptr) index_endscan(rows->steps);
  index_close(rows->index, NoLock);
}

}  // namespace tviews::worker
