#include "backend/tview/fill.h"

#include <algorithm>

#include "backend/tview/names.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/boundary/receiver.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/reader_bypass.h"
#include "shared/pg/documents/document_functions.h"
#include "shared/pg/server/custom_settings.h"
#include "shared/pg/server/evaluation_clock.h"
#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/tables/frontier.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/heapam.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/xact.h>
#include <executor/executor.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <tcop/dest.h>
#include <tcop/tcopprot.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Rows that are inserted together. Documents may be large, so not many.
constexpr int kBatchRows = 64;

// Where the executor sends the rows. Plain bytes; the server calls it through `destination`.
struct Receiver {
  DestReceiver destination;  // first: the server's view of this object
  Relation table;
  const AttributeNumber* key;  // the columns' numbers, up to 0
  AttributeNumber null_key;    // the column of the key that was NULL in a row, or 0
  BulkInsertState bulk;
  MemoryContext flush_context;  // what one insertion allocates
  CommandId command;
  TupleTableSlot* slots[kBatchRows];
  int count;
};

void Flush(Receiver* receiver) {
  MemoryContext const previous = MemoryContextSwitchTo(receiver->flush_context);
  table_multi_insert(receiver->table, receiver->slots, receiver->count, receiver->command,
                     TABLE_INSERT_SKIP_FSM, receiver->bulk);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(receiver->flush_context);
  for (int i = 0; i < receiver->count; ++i) ExecClearTuple(receiver->slots[i]);
  pg::session_notes::CountRows(static_cast<std::size_t>(receiver->count));
  receiver->count = 0;
}

bool Receive(TupleTableSlot* row, DestReceiver* self) {
  Receiver* const receiver = reinterpret_cast<Receiver*>(self);
  for (const AttributeNumber* column = receiver->key; *column != 0; ++column) {
    bool is_null = false;
    slot_getattr(row, *column, &is_null);
    if (!is_null) continue;
    receiver->null_key = *column;
    return false;  // ends the query
  }
  TupleTableSlot*& slot = receiver->slots[receiver->count];
  if (slot == nullptr) slot = table_slot_create(receiver->table, nullptr);
  ExecCopySlot(slot, row);
  if (++receiver->count == kBatchRows) Flush(receiver);
  return true;
}

void Startup(DestReceiver* self, int, TupleDesc) {
  Receiver* const receiver = reinterpret_cast<Receiver*>(self);
  receiver->bulk = GetBulkInsertState();
  receiver->flush_context =
      AllocSetContextCreateInternal(CurrentMemoryContext, "pg_tviews fill", ALLOCSET_DEFAULT_SIZES);
  receiver->command = GetCurrentCommandId(true);
}

void Shutdown(DestReceiver* self) {
  Receiver* const receiver = reinterpret_cast<Receiver*>(self);
  if (receiver->count > 0 && receiver->null_key == 0) Flush(receiver);
  for (TupleTableSlot* slot : receiver->slots) {
    if (slot != nullptr) ExecDropSingleTupleTableSlot(slot);
  }
  FreeBulkInsertState(receiver->bulk);
  table_finish_bulk_insert(receiver->table, TABLE_INSERT_SKIP_FSM);
}

// Plans and runs `sql` under the active snapshot.
std::uint64_t RunQuery(const char* sql, Receiver* receiver) {
  RawStmt* const raw = linitial_node(RawStmt, pg_parse_query(sql));
  List* const queries = pg_analyze_and_rewrite_fixedparams(raw, sql, nullptr, 0, nullptr);
  pg::UseDocumentFunctions(linitial_node(Query, queries));
  PlannedStmt* const plan =
      pg_plan_query(linitial_node(Query, queries), sql, CURSOR_OPT_PARALLEL_OK, nullptr);
  pg::session_notes::ExpectRows(plan->planTree->plan_rows);
  QueryDesc* const query = CreateQueryDesc(plan, sql, GetActiveSnapshot(), InvalidSnapshot,
                                           &receiver->destination, nullptr, nullptr, 0);
  ExecutorStart(query, 0);
  pg::compat::RunToEnd(query);
  ExecutorFinish(query);
  const std::uint64_t rows = query->estate->es_processed;
  ExecutorEnd(query);
  FreeQueryDesc(query);
  return rows;
}

const char* ActiveSnapshotText() {
  const Datum snapshot = DirectFunctionCall1Coll(pg_current_snapshot, InvalidOid, 0);
  return DatumGetCString(DirectFunctionCall1Coll(pg_snapshot_out, InvalidOid, snapshot));
}

absl::Status NullKey(const FillTarget& target, AttributeNumber key) {
  const char* column = nullptr;
  const char* table = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    column = get_attname(target.table, key, false);
    table = get_rel_name(target.table);
  }));
  return pg::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.message = "key column \"" + std::string(column) + "\" of TVIEW \"" + table +
                  "\" is NULL in a row of its query",
       .hint = "The key identifies a row: exclude such rows in the query, or choose another key.",
       .sqlstate = "23502"});
}

}  // namespace

absl::StatusOr<bool> IsLeftToApplier(const std::string& table, RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_own_session, pg::CallFor([] {
                            return is_member_of_role(GetSessionUserId(), GetUserId());
                          }));
  std::string reason = "Its query runs as its owner, and not in a session of another role.";
  if (is_own_session) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string setting, pg::CustomSettingOfSession());
    if (setting.empty()) return false;
    TVIEWS_ASSIGN_OR_RETURN(const bool may_be_read, RunsCodeOfUsers(view));
    if (!may_be_read) return false;
    reason = "Functions in its query could read \"" + setting +
             "\", which this session has set and the processes of refreshes have not.";
  }
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    ereport(NOTICE,
            (errmsg("TVIEW \"%s\" is filled when the transaction has committed", table.c_str()),
             errdetail("%s", reason.c_str())));
  }));
  return true;
}

namespace {

// The frontier's time of a batch that would begin now: it never goes back.
absl::StatusOr<Timestamp> TimeOfFill() {
  SnapshotData* snapshot = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    PushActiveSnapshot(GetLatestSnapshot());
    snapshot = GetActiveSnapshot();
  }));
  TVIEWS_ASSIGN_OR_RETURN(const Timestamp time, pg::ReadLatestFrontierTime(snapshot));
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { PopActiveSnapshot(); }));
  return std::max<Timestamp>(time, GetCurrentTimestamp());
}

}  // namespace

absl::StatusOr<FillResult> FillTview(const FillTarget& target) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::MemoryScope memory, pg::MemoryScope::Make("pg_tviews fill"));
  TVIEWS_ASSIGN_OR_RETURN(const Timestamp time, TimeOfFill());
  const pg::FrontierTimeScope frontier_time(time);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(target.owner, target.settings));
  const pg::ReaderBypass bypass;
  Receiver receiver{};
  pg::InitializeReceiver(&receiver.destination, Receive, Startup, Shutdown);
  std::vector<AttributeNumber> key = target.key;
  key.push_back(0);
  receiver.key = key.data();

  FillResult result;
  const char* snapshot = nullptr;
  FullXid creator = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    receiver.table = table_open(target.table, AccessExclusiveLock);
    creator = U64FromFullTransactionId(GetTopFullTransactionId());
    PushActiveSnapshot(GetLatestSnapshot());
    snapshot = ActiveSnapshotText();
    result.rows = RunQuery(target.query.c_str(), &receiver);
    PopActiveSnapshot();
    table_close(receiver.table, NoLock);
    if (receiver.null_key == 0) CommandCounterIncrement();
  }));
  if (receiver.null_key != 0) return NullKey(target, receiver.null_key);
  result.snapshot = snapshot;
  result.creator = std::to_string(creator);
  result.clock = pg::ClockOf(target.settings);
  return result;
}

}  // namespace tviews::backend
