#include "worker/feed/feed_rows.h"

#include <algorithm>
#include <cstdint>

#include "shared/pg/tables/columns.h"
#include "worker/feed/key_printer.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/detoast.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/xact.h>
#include <catalog/pg_class.h>
#include <commands/sequence.h>
#include <executor/executor.h>
#include <executor/tuptable.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <storage/lmgr.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/fmgrprotos.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/resowner.h>
#include <utils/timestamp.h>
#include <utils/tuplestore.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct FeedRows {
  const FeedSource* source;
  TupleTableSlot* row;
  KeyPrinter* print_key;
  FmgrInfo print_id;
  Datum entity;
  Datum frontier;
};

namespace {

using Column = pg::FeedColumn;

// Rows from `begin` to where the next one begins, written in one subtransaction.
struct Stretch {
  SubTransactionId subtransaction;
  std::int64_t begin;
  bool is_void;  // it was rolled back
};

// What the batch has to tell so far, without positions.
struct Spool {
  Oid feed_table;
  Tuplestorestate* rows;  // null: none
  TupleDesc descriptor;
  Stretch* stretches;
  int count;  // of stretches
  int room;
  std::int64_t length;  // of rows
};

Spool spool;

constexpr const char* kOperationNames[kFeedOperations] = {"insert", "update", "delete"};

void PrepareOutput(RelationId tview, AttributeNumber attribute, FmgrInfo* print) {
  Oid function = InvalidOid;
  bool is_varlena = false;
  getTypeOutputInfo(get_atttype(tview, attribute), &function, &is_varlena);
  fmgr_info(function, print);
}

Oid FindSequence(Oid schema) {
  const Oid sequence = get_relname_relid("pg_tview_feed_position", schema);
  if (sequence == InvalidOid) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("the extension's relation \"%s\" is missing", "pg_tview_feed_position"),
                    errhint("Run ALTER EXTENSION pg_tviews UPDATE.")));
  }
  return sequence;
}

// Whatever was spooled since it began, it or its children did.
void OnSubtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId, void*) {
  if (event != SUBXACT_EVENT_ABORT_SUB || spool.rows == nullptr) return;
  for (int i = spool.count; i > 0 && spool.stretches[i - 1].subtransaction >= id; --i) {
    spool.stretches[i - 1].is_void = true;
  }
}

// Its memory and its files end with the transaction.
void OnTransaction(XactEvent event, void*) {
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) spool = Spool{};
}

void OpenSpool(const FeedRows& rows, Oid feed_table) {
  static bool is_registered = false;
  if (!is_registered) {
    RegisterXactCallback(OnTransaction, nullptr);
    RegisterSubXactCallback(OnSubtransaction, nullptr);
    is_registered = true;
  }
  MemoryContext const caller = MemoryContextSwitchTo(TopTransactionContext);
  ResourceOwner const owner = CurrentResourceOwner;
  CurrentResourceOwner = TopTransactionResourceOwner;
  constexpr int kFirstRoom = 16;
  spool.feed_table = feed_table;
  spool.descriptor = CreateTupleDescCopy(rows.row->tts_tupleDescriptor);
  spool.stretches = static_cast<Stretch*>(palloc(kFirstRoom * sizeof(Stretch)));
  spool.room = kFirstRoom;
  spool.rows = tuplestore_begin_heap(false, false, work_mem);
  CurrentResourceOwner = owner;
  MemoryContextSwitchTo(caller);
}

// The row that is spooled next belongs to the present subtransaction.
void NoteStretch() {
  const SubTransactionId present = GetCurrentSubTransactionId();
  const Stretch* const last = spool.count == 0 ? nullptr : &spool.stretches[spool.count - 1];
  if (last != nullptr && !last->is_void && last->subtransaction == present) return;
  if (spool.count == spool.room) {
    spool.stretches =
        static_cast<Stretch*>(repalloc(spool.stretches, 2 * spool.room * sizeof(Stretch)));
    spool.room *= 2;
  }
  spool.stretches[spool.count++] = {
      .subtransaction = present, .begin = spool.length, .is_void = false};
}

void Set(FeedRows* rows, AttributeNumber column, Datum value) {
  rows->row->tts_values[pg::place(column)] = value;
  rows->row->tts_isnull[pg::place(column)] = false;
}

void SetText(FeedRows* rows, AttributeNumber column, const TupleTableSlot* from,
             AttributeNumber attribute, FmgrInfo* print) {
  if (attribute == 0 || from->tts_isnull[attribute - 1]) return;
  Set(rows, column,
      CStringGetTextDatum(OutputFunctionCall(print, from->tts_values[attribute - 1])));
}

void SetKey(FeedRows* rows, const TupleTableSlot* from) {
  const char* const text = TextOfKeyIn(rows->print_key, from);
  if (text != nullptr) Set(rows, Column::kKey, CStringGetTextDatum(text));
}

void SetDocument(FeedRows* rows, AttributeNumber column, TupleTableSlot* from) {
  if (from == nullptr) return;
  const AttributeNumber document = rows->source->document;
  if (document != 0) {
    if (from->tts_isnull[document - 1]) return;
    // Where it stands now, it need not stand at the end of the batch.
    const auto value = reinterpret_cast<varlena*>(DatumGetPointer(from->tts_values[document - 1]));
    const bool is_elsewhere = VARATT_IS_EXTERNAL(value);
    Set(rows, column, PointerGetDatum(is_elsewhere ? detoast_external_attr(value) : value));
    return;
  }
  const Datum row = ExecFetchSlotHeapTupleDatum(from);
  const Datum json = OidFunctionCall1(F_ROW_TO_JSON_RECORD, row);
  Set(rows, column, DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(json))));
}

bool HasValidRows() {
  return std::any_of(spool.stretches, spool.stretches + spool.count,
                     [](const Stretch& stretch) { return !stretch.is_void; });
}

struct FeedWriter {
  Relation relation;
  Oid sequence;
  EState* estate;
  ResultRelInfo* result;
  TupleTableSlot* row;
};

// Whoever takes a position has the lock until its transaction ends.
FeedWriter OpenFeedWriter() {
  FeedWriter writer;
  writer.relation = table_open(spool.feed_table, RowExclusiveLock);
  writer.sequence = FindSequence(RelationGetNamespace(writer.relation));
  writer.estate = CreateExecutorState();
  writer.result = makeNode(ResultRelInfo);
  InitResultRelInfo(writer.result, writer.relation, 0, nullptr, 0);
  ExecOpenIndices(writer.result, false);
  writer.row = MakeSingleTupleTableSlot(RelationGetDescr(writer.relation), &TTSOpsVirtual);
  LockDatabaseObject(RelationRelationId, writer.sequence, 0, ExclusiveLock);
  return writer;
}

void WriteFeedRow(const FeedWriter& writer, TupleTableSlot* spooled) {
  slot_getallattrs(spooled);
  ExecClearTuple(writer.row);
  const int columns = RelationGetDescr(writer.relation)->natts;
  for (int i = 0; i < columns; ++i) {
    writer.row->tts_values[i] = spooled->tts_values[i];
    writer.row->tts_isnull[i] = spooled->tts_isnull[i];
  }
  const int position = pg::place(Column::kPosition);
  writer.row->tts_values[position] = Int64GetDatum(nextval_internal(writer.sequence, false));
  writer.row->tts_isnull[position] = false;
  ExecStoreVirtualTuple(writer.row);
  table_tuple_insert(writer.relation, writer.row, GetCurrentCommandId(true), 0, nullptr);
  pg::compat::InsertIndexEntries(writer.result, writer.row, writer.estate);
  ResetPerTupleExprContext(writer.estate);
}

void CloseFeedWriter(const FeedWriter& writer) {
  ExecDropSingleTupleTableSlot(writer.row);
  ExecCloseIndices(writer.result);
  FreeExecutorState(writer.estate);
  table_close(writer.relation, NoLock);
}

}  // namespace

FeedRows* OpenFeedRows(const FeedSource& source) {
  auto* const rows = static_cast<FeedRows*>(palloc0(sizeof(FeedRows)));
  const TviewDefinition& tview = *source.tview;
  rows->source = &source;
  Relation const table = table_open(source.feed_table, RowExclusiveLock);
  rows->row =
      MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(table)), &TTSOpsVirtual);
  table_close(table, NoLock);
  rows->print_key = PrepareKeyPrinter(tview.relation, source.key);
  if (source.id != 0) PrepareOutput(tview.relation, source.id, &rows->print_id);
  rows->entity = CStringGetTextDatum(tview.entity.c_str());
  rows->frontier = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(source.frontier));
  return rows;
}

void AddFeedRow(FeedRows* rows, const FeedChange& change) {
  const FeedSource& source = *rows->source;
  const TviewDefinition& tview = *source.tview;
  ExecClearTuple(rows->row);
  const int columns = rows->row->tts_tupleDescriptor->natts;
  for (int i = 0; i < columns; ++i) rows->row->tts_isnull[i] = true;
  Set(rows, Column::kTview, ObjectIdGetDatum(tview.relation));
  Set(rows, Column::kEntity, rows->entity);
  SetKey(rows, change.current());
  SetText(rows, Column::kId, change.current(), source.id, &rows->print_id);
  Set(rows, Column::kOperation,
      CStringGetTextDatum(kOperationNames[static_cast<int>(change.operation)]));
  Set(rows, Column::kFrontier, rows->frontier);
  Set(rows, Column::kChangedAt, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
  if (tview.feed == FeedContent::kData) {
    SetDocument(rows, Column::kOldData, change.old_row);
    SetDocument(rows, Column::kNewData, change.new_row);
  }
  ExecStoreVirtualTuple(rows->row);
  if (spool.rows == nullptr) OpenSpool(*rows, source.feed_table);
  NoteStretch();
  tuplestore_puttupleslot(spool.rows, rows->row);
  ++spool.length;
}

void CloseFeedRows(FeedRows* rows) {
  ExecDropSingleTupleTableSlot(rows->row);
  pfree(rows);
}

void WriteFeedRows() {
  if (spool.rows == nullptr || !HasValidRows()) return;
  const FeedWriter writer = OpenFeedWriter();
  TupleTableSlot* const spooled = MakeSingleTupleTableSlot(spool.descriptor, &TTSOpsMinimalTuple);
  std::int64_t place = 0;
  for (int i = 0; i < spool.count; ++i) {
    const std::int64_t end = i + 1 < spool.count ? spool.stretches[i + 1].begin : spool.length;
    for (; place < end; ++place) {
      CHECK_FOR_INTERRUPTS();
      if (!tuplestore_gettupleslot(spool.rows, true, false, spooled)) {
        elog(ERROR, "the change feed has lost rows of the batch");
      }
      if (!spool.stretches[i].is_void) WriteFeedRow(writer, spooled);
    }
  }
  ExecDropSingleTupleTableSlot(spooled);
  CloseFeedWriter(writer);
  tuplestore_end(spool.rows);
  spool = Spool{};
  ForceSyncCommit();
}

}  // namespace tviews::worker
