#include "worker/feed/feed_rows.h"

#include "shared/pg/tables/columns.h"
#include "worker/feed/key_printer.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <access/tableam.h>
#include <access/xact.h>
#include <catalog/pg_class.h>
#include <commands/sequence.h>
#include <executor/executor.h>
#include <executor/tuptable.h>
#include <fmgr.h>
#include <storage/lmgr.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/fmgrprotos.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct FeedRows {
  const FeedSource* source;
  Relation relation;
  Oid sequence;
  EState* estate;
  ResultRelInfo* result;
  TupleTableSlot* row;
  KeyPrinter* print_key;
  FmgrInfo print_id;
  Datum entity;
  Datum frontier;
  bool any;
};

namespace {

using Column = pg::FeedColumn;

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
    Set(rows, column, from->tts_values[document - 1]);
    return;
  }
  const Datum row = ExecFetchSlotHeapTupleDatum(from);
  const Datum json = OidFunctionCall1(F_ROW_TO_JSON_RECORD, row);
  Set(rows, column, DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(json))));
}

}  // namespace

FeedRows* OpenFeedRows(const FeedSource& source) {
  auto* const rows = static_cast<FeedRows*>(palloc0(sizeof(FeedRows)));
  const TviewDefinition& tview = *source.tview;
  rows->source = &source;
  rows->sequence = FindSequence(get_rel_namespace(source.feed_table));
  rows->relation = table_open(source.feed_table, RowExclusiveLock);
  rows->estate = CreateExecutorState();
  rows->result = makeNode(ResultRelInfo);
  InitResultRelInfo(rows->result, rows->relation, 0, nullptr, 0);
  ExecOpenIndices(rows->result, false);
  rows->row = MakeSingleTupleTableSlot(RelationGetDescr(rows->relation), &TTSOpsVirtual);
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
  if (!rows->any) LockDatabaseObject(RelationRelationId, rows->sequence, 0, ExclusiveLock);
  const int columns = RelationGetDescr(rows->relation)->natts;
  for (int i = 0; i < columns; ++i) rows->row->tts_isnull[i] = true;
  Set(rows, Column::kPosition, Int64GetDatum(nextval_internal(rows->sequence, false)));
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
  table_tuple_insert(rows->relation, rows->row, GetCurrentCommandId(true), 0, nullptr);
  pg::compat::InsertIndexEntries(rows->result, rows->row, rows->estate);
  ResetPerTupleExprContext(rows->estate);
  rows->any = true;
}

void CloseFeedRows(FeedRows* rows) {
  if (rows->any) ForceSyncCommit();
  ExecDropSingleTupleTableSlot(rows->row);
  ExecCloseIndices(rows->result);
  FreeExecutorState(rows->estate);
  table_close(rows->relation, NoLock);
  pfree(rows);
}

}  // namespace tviews::worker
