#include "worker/write/tview_writer.h"
#include "shared/pg/boundary/receiver.h"

#include "worker/refresh/row_yield.h"
#include "worker/write/repack_log.h"
#include "worker/write/seen_rows.h"
#include "worker/write/stored_rows.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/heapam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/xact.h>
#include <executor/executor.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <storage/bufmgr.h>
#include <tcop/dest.h>
#include <utils/datum.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include <utils/tuplestore.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct TviewWriter {
  DestReceiver receiver;  // first: the executor knows the writer by this address

  Relation relation;
  EState* estate;
  ResultRelInfo* result;
  SnapshotData* snapshot;
  CommandId command;
  KeyAttributes key;
  int* places;  // of the query's columns in a row of the TVIEW, which may have dropped ones between
  int columns;
  WriteMode mode;
  bool track_seen;

  StoredRows* stored;
  TupleTableSlot* old_row;
  TupleTableSlot* new_row;
  BulkInsertState bulk;
  Tuplestorestate* collected;
  TupleTableSlot* collected_row;
  MemoryContext row_context;

  SeenRows seen;
  RepackLog* repack;  // null unless pg_repack follows the table
  WriterCallbacks callbacks;
  WriteCounts counts;
  RowYield yield;
};

namespace {

RowPointer PointerTo(const TupleTableSlot* slot) {
  return {.block = ItemPointerGetBlockNumberNoCheck(&slot->tts_tid),
          .offset = ItemPointerGetOffsetNumberNoCheck(&slot->tts_tid)};
}

bool SameRow(TviewWriter* writer) {
  const TupleDesc descriptor = RelationGetDescr(writer->relation);
  TupleTableSlot* const old_row = writer->old_row;
  TupleTableSlot* const new_row = writer->new_row;
  slot_getallattrs(old_row);
  for (int i = 0; i < descriptor->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (attribute->attisdropped) continue;
    if (old_row->tts_isnull[i] != new_row->tts_isnull[i]) return false;
    if (old_row->tts_isnull[i]) continue;
    if (!datum_image_eq(old_row->tts_values[i], new_row->tts_values[i], attribute->attbyval,
                        attribute->attlen)) {
      return false;
    }
  }
  return true;
}

void Insert(TviewWriter* writer) {
  table_tuple_insert(writer->relation, writer->new_row, writer->command, 0, writer->bulk);
  pg::compat::InsertIndexEntries(writer->result, writer->new_row, writer->estate);
  if (writer->repack != nullptr) LogRow(writer->repack, nullptr, writer->new_row);
  ++writer->counts.inserted;
}

[[noreturn]] void RaiseKeyTwice(TviewWriter* writer) {
  ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                  errmsg("the defining query of TVIEW \"%s\" returns a key twice",
                         RelationGetRelationName(writer->relation))));
  pg_unreachable();
}

[[noreturn]] void RaiseChangedByOther(TviewWriter* writer, TM_Result result) {
  if (result == TM_SelfModified) RaiseKeyTwice(writer);
  // Somebody wrote with pg_tviews.protect off. A newer snapshot will see it.
  ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                  errmsg("TVIEW \"%s\" was changed by another session during the batch",
                         RelationGetRelationName(writer->relation))));
  pg_unreachable();
}

void Delete(TviewWriter* writer) {
  TM_FailureData failure;
  const TM_Result result =
      table_tuple_delete(writer->relation, &writer->old_row->tts_tid, writer->command,
                         writer->snapshot, InvalidSnapshot, true, &failure, false);
  if (result != TM_Ok) RaiseChangedByOther(writer, result);
  if (writer->repack != nullptr) LogRow(writer->repack, writer->old_row, nullptr);
}

void Update(TviewWriter* writer) {
  TM_FailureData failure;
  LockTupleMode lock_mode;
  pg::compat::UpdatedIndexes indexes{};
  ItemPointerData place = writer->old_row->tts_tid;
  MakeRoom(writer->stored, writer->old_row);
  const TM_Result result =
      table_tuple_update(writer->relation, &place, writer->new_row, writer->command,
                         writer->snapshot, InvalidSnapshot, true, &failure, &lock_mode, &indexes);
  if (result != TM_Ok) RaiseChangedByOther(writer, result);
  pg::compat::UpdateIndexEntries(writer->result, writer->new_row, writer->estate, indexes);
  if (writer->repack != nullptr) LogRow(writer->repack, writer->old_row, writer->new_row);
  ++writer->counts.updated;
}

// The query's row, as a row of the TVIEW: same columns, same order, without those dropped.
void LoadNewRow(TviewWriter* writer, TupleTableSlot* row) {
  slot_getallattrs(row);
  ExecClearTuple(writer->new_row);
  const int columns = RelationGetDescr(writer->relation)->natts;
  if (columns != writer->columns) {
    for (int i = 0; i < columns; ++i) writer->new_row->tts_isnull[i] = true;
  }
  for (int i = 0; i < writer->columns; ++i) {
    const int place = writer->places[i];
    writer->new_row->tts_values[place] = row->tts_values[i];
    writer->new_row->tts_isnull[place] = row->tts_isnull[i];
  }
  ExecStoreVirtualTuple(writer->new_row);
  writer->new_row->tts_tableOid = RelationGetRelid(writer->relation);
}

void NoteNullKey(TviewWriter* writer) {
  if (writer->callbacks.on_bad_key != nullptr) {
    writer->callbacks.on_bad_key(writer->callbacks.argument, nullptr);
    return;
  }
  ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                  errmsg("the defining query of TVIEW \"%s\" returns a row whose key is null",
                         RelationGetRelationName(writer->relation))));
}

// Marks the stored row as seen; false if it was.
bool MarkSeen(TviewWriter* writer) {
  if (!writer->track_seen) return true;
  const RowPointer place = PointerTo(writer->old_row);
  if (writer->seen.IsMarked(place)) {
    if (writer->callbacks.on_bad_key == nullptr) RaiseKeyTwice(writer);
    writer->callbacks.on_bad_key(writer->callbacks.argument, writer->new_row);
    return false;
  }
  writer->seen.Mark(place);
  return true;
}

// The new row's key; false if a column of it is null.
bool LoadKey(const TviewWriter* writer, Datum* key) {
  for (int i = 0; i < writer->key.count; ++i) {
    const int column = writer->key.numbers[i] - 1;
    if (writer->new_row->tts_isnull[column]) return false;
    key[i] = writer->new_row->tts_values[column];
  }
  return true;
}

void WriteRow(TviewWriter* writer, TupleTableSlot* row) {
  LoadNewRow(writer, row);
  Datum key[kMostKeyColumns];
  if (!LoadKey(writer, key)) {
    NoteNullKey(writer);
    return;
  }
  KeyNote note = KeyNote::kNew;
  if (writer->callbacks.on_key != nullptr) {
    note = writer->callbacks.on_key(writer->callbacks.argument, writer->new_row);
    if (note == KeyNote::kNotListed) return;
    if (note == KeyNote::kAgain) RaiseKeyTwice(writer);
  }
  const bool stored = FindStoredRow(writer->stored, key, writer->old_row);
  if (note == KeyNote::kLeftAlone) {
    if (stored) writer->seen.Mark(PointerTo(writer->old_row));
    return;
  }
  if (stored) {
    if (!MarkSeen(writer)) return;
    if (SameRow(writer)) {
      ++writer->counts.unchanged;
      return;
    }
  }
  if (writer->callbacks.on_change != nullptr) {
    writer->callbacks.on_change(writer->callbacks.argument, stored ? writer->old_row : nullptr,
                                writer->new_row);
  }
  if (writer->mode == WriteMode::kCollect) {
    if (stored) {
      Delete(writer);
      ++writer->counts.updated;
      --writer->counts.inserted;
    }
    tuplestore_puttupleslot(writer->collected, writer->new_row);
  } else if (stored) {
    Update(writer);
  } else {
    Insert(writer);
  }
}

bool ReceiveRow(TupleTableSlot* row, DestReceiver* self) {
  TviewWriter* const writer = reinterpret_cast<TviewWriter*>(self);
  MemoryContext const previous = MemoryContextSwitchTo(writer->row_context);
  WriteRow(writer, row);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(writer->row_context);
  ResetPerTupleExprContext(writer->estate);
  writer->callbacks.rows_done->Add(1);
  writer->yield.AfterRow();
  return true;
}

// The stored columns must be the query's, one for one.
void CheckColumns(TviewWriter* writer, TupleDesc query) {
  const TupleDesc stored = RelationGetDescr(writer->relation);
  bool same = writer->columns == query->natts;
  for (int i = 0; same && i < query->natts; ++i) {
    const Form_pg_attribute a = TupleDescAttr(stored, writer->places[i]);
    same = a->atttypid == TupleDescAttr(query, i)->atttypid;
  }
  if (same) return;
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                  errmsg("the columns of TVIEW \"%s\" are no longer those of its defining query",
                         RelationGetRelationName(writer->relation)),
                  errhint("Drop the TVIEW and create it again.")));
}

void StartReceiving(DestReceiver* self, int, TupleDesc descriptor) {
  CheckColumns(reinterpret_cast<TviewWriter*>(self), descriptor);
}

void FindPlaces(TviewWriter* writer) {
  const TupleDesc stored = RelationGetDescr(writer->relation);
  writer->places = static_cast<int*>(palloc(sizeof(int) * (stored->natts + 1)));
  for (int i = 0; i < stored->natts; ++i) {
    if (!TupleDescAttr(stored, i)->attisdropped) writer->places[writer->columns++] = i;
  }
}

void PrepareSeen(TviewWriter* writer) {
  writer->seen.blocks = RelationGetNumberOfBlocks(writer->relation);
  writer->seen.bits = static_cast<std::uint64_t*>(MemoryContextAllocExtended(
      CurrentMemoryContext,
      sizeof(std::uint64_t) * SeenRows::kWords * (Size{writer->seen.blocks} + 1),
      MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
}

}  // namespace

TviewWriter* OpenTviewWriter(RelationId tview, const KeyAttributes& key, SnapshotData* snapshot,
                             WriteMode mode, Seen seen, const WriterCallbacks& callbacks) {
  auto* const writer = static_cast<TviewWriter*>(palloc0(sizeof(TviewWriter)));
  pg::InitializeReceiver(&writer->receiver, ReceiveRow, StartReceiving);
  writer->relation = table_open(tview, RowExclusiveLock);
  FindPlaces(writer);
  writer->snapshot = snapshot;
  writer->command = GetCurrentCommandId(true);
  writer->key = key;
  writer->mode = mode;
  writer->track_seen = seen != Seen::kForgotten;
  writer->callbacks = callbacks;
  writer->estate = CreateExecutorState();
  writer->result = makeNode(ResultRelInfo);
  InitResultRelInfo(writer->result, writer->relation, 0, nullptr, 0);
  ExecOpenIndices(writer->result, false);
  writer->repack = OpenRepackLog(writer->result);
  writer->old_row = table_slot_create(writer->relation, nullptr);
  writer->new_row = MakeSingleTupleTableSlot(RelationGetDescr(writer->relation), &TTSOpsVirtual);
  // Only an empty TVIEW is worth a buffer ring of its own. Its page would not outlive a
  // subtransaction, in which collected rows may be inserted.
  if (mode == WriteMode::kInPlace && RelationGetNumberOfBlocks(writer->relation) == 0) {
    writer->bulk = GetBulkInsertState();
  }
  writer->row_context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_tviews row", ALLOCSET_DEFAULT_SIZES);
  writer->stored = OpenStoredRows(writer->relation, key, snapshot);
  if (writer->track_seen) PrepareSeen(writer);
  if (seen == Seen::kAll) ExpectWhole(writer->stored);
  if (mode == WriteMode::kCollect) {
    writer->collected = tuplestore_begin_heap(false, false, work_mem);
    writer->collected_row =
        MakeSingleTupleTableSlot(RelationGetDescr(writer->relation), &TTSOpsMinimalTuple);
  }
  return writer;
}

bool IsEmpty(const TviewWriter* writer) { return writer->bulk != nullptr; }

_DestReceiver* ReceiverOf(TviewWriter* writer) { return &writer->receiver; }

void DeleteMissingKey(TviewWriter* writer, const std::uintptr_t* key) {
  if (FindStoredRow(writer->stored, key, writer->old_row)) {
    if (!writer->track_seen || !writer->seen.IsMarked(PointerTo(writer->old_row))) {
      if (writer->callbacks.on_change != nullptr) {
        writer->callbacks.on_change(writer->callbacks.argument, writer->old_row, nullptr);
      }
      Delete(writer);
      ++writer->counts.deleted;
    }
  }
  CHECK_FOR_INTERRUPTS();
}

void DeleteUnseen(TviewWriter* writer) {
  TableScanDesc const scan = table_beginscan(writer->relation, writer->snapshot, 0, nullptr);
  while (table_scan_getnextslot(scan, ForwardScanDirection, writer->old_row)) {
    CHECK_FOR_INTERRUPTS();
    if (writer->seen.IsMarked(PointerTo(writer->old_row))) continue;
    if (writer->callbacks.on_change != nullptr) {
      writer->callbacks.on_change(writer->callbacks.argument, writer->old_row, nullptr);
    }
    Delete(writer);
    ++writer->counts.deleted;
  }
  table_endscan(scan);
}

bool NextCollected(TviewWriter* writer) {
  CHECK_FOR_INTERRUPTS();
  if (!tuplestore_gettupleslot(writer->collected, true, false, writer->collected_row)) return false;
  // It is a row of the TVIEW already.
  ExecCopySlot(writer->new_row, writer->collected_row);
  writer->new_row->tts_tableOid = RelationGetRelid(writer->relation);
  return true;
}

TupleTableSlot* CollectedRow(const TviewWriter* writer) { return writer->new_row; }

void InsertCurrent(TviewWriter* writer) {
  Insert(writer);
  ResetPerTupleExprContext(writer->estate);
}

void InsertCollected(TviewWriter* writer) {
  while (NextCollected(writer)) InsertCurrent(writer);
}

WriteCounts CloseTviewWriter(TviewWriter* writer) {
  const WriteCounts counts = writer->counts;
  CloseStoredRows(writer->stored);
  ExecDropSingleTupleTableSlot(writer->old_row);
  ExecDropSingleTupleTableSlot(writer->new_row);
  if (writer->bulk != nullptr) FreeBulkInsertState(writer->bulk);
  if (writer->collected != nullptr) {
    ExecDropSingleTupleTableSlot(writer->collected_row);
    tuplestore_end(writer->collected);
  }
  ExecCloseIndices(writer->result);
  FreeExecutorState(writer->estate);
  table_close(writer->relation, NoLock);
  return counts;
}

}  // namespace tviews::worker
