#include "backend/ddl/utility_hook.h"

#include <cstring>
#include <string_view>

#include "backend/capture/moved_rows.h"
#include "backend/capture/transaction.h"
#include "backend/ddl/aftermath.h"
#include "backend/ddl/altered_types.h"
#include "backend/ddl/audit_log.h"
#include "backend/ddl/database_ddl.h"
#include "backend/ddl/drop_column_hint.h"
#include "backend/ddl/extension_ddl.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/outbox_stays.h"
#include "backend/ddl/own_tables.h"
#include "backend/ddl/pinned_names.h"
#include "backend/ddl/refusals.h"
#include "backend/ddl/retyping.h"
#include "backend/reading/exchanges.h"
#include "backend/reading/reader_snapshot.h"
#include "backend/reading/reading.h"
#include "backend/reading/unpopulated.h"
#include "backend/tview/create_table_as.h"
#include "backend/tview/drop.h"
#include "backend/tview/label.h"
#include "backend/tview/metadata.h"
#include "backend/tview/options.h"
#include "backend/tview/redefine.h"
#include "backend/tview/restore_session.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/shmem/change_queue.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <catalog/namespace.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <tcop/cmdtag.h>
#include <tcop/utility.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

ProcessUtility_hook_type previous_hook = nullptr;

std::string_view TextOf(const PlannedStmt* planned, const char* source) {
  const int start = planned->stmt_location < 0 ? 0 : planned->stmt_location;
  const std::size_t rest = std::strlen(source + start);
  const std::size_t length = planned->stmt_len > 0 ? planned->stmt_len : rest;
  return std::string_view(source + start, length < rest ? length : rest);
}

// True if the statement was a CREATE TABLE ... AS that creates a TVIEW, which it then has done.
absl::StatusOr<bool> CreateInstead(const PlannedStmt* planned, const char* source,
                                   QueryCompletion* completion) {
  if (!IsA(planned->utilityStmt, CreateTableAsStmt)) return false;
  const auto* statement = reinterpret_cast<const CreateTableAsStmt*>(planned->utilityStmt);
  TVIEWS_ASSIGN_OR_RETURN(const bool creates, CreatesTview(statement));
  if (!creates) return false;
  TVIEWS_ASSIGN_OR_RETURN(const CreateTableAsResult result,
                          RunCreateTableAs(statement, TextOf(planned, source)));
  if (completion != nullptr && result.has_rows) {
    SetQueryCompletion(completion, CMDTAG_SELECT, result.rows);
  }
  return true;
}

// True if the statement was one for us alone, which is then done.
absl::StatusOr<bool> DoInstead(const PlannedStmt* planned, const char* source,
                               QueryCompletion* completion) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_created, CreateInstead(planned, source, completion));
  if (is_created) return true;
  if (IsA(planned->utilityStmt, ViewStmt)) {
    TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
    if (!has_tviews) return false;
    return ReplaceByView(reinterpret_cast<const ViewStmt*>(planned->utilityStmt),
                         TextOf(planned, source));
  }
  return AlterTviewOptions(planned->utilityStmt);
}

// EXPLAIN ANALYZE would run the statement past this hook.
absl::Status CheckExplain(const Node* statement) {
  if (!IsA(statement, ExplainStmt)) return absl::OkStatus();
  const auto* explain = reinterpret_cast<const ExplainStmt*>(statement);
  const Query* const query = castNode(Query, explain->query);
  if (query->commandType != CMD_UTILITY || !IsA(query->utilityStmt, CreateTableAsStmt)) {
    return absl::OkStatus();
  }
  TVIEWS_ASSIGN_OR_RETURN(
      const bool creates,
      CreatesTview(reinterpret_cast<const CreateTableAsStmt*>(query->utilityStmt)));
  if (!creates) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kUnimplemented,
                       {.message = "EXPLAIN cannot run the creation of a TVIEW",
                        .hint = "Explain its query instead."});
}

absl::StatusOr<Aftermath> BeforeCommand(const Node* statement) {
  TVIEWS_RETURN_IF_ERROR(CheckExplain(statement));
  TVIEWS_RETURN_IF_ERROR(CheckExtensionCommand(statement));
  TVIEWS_RETURN_IF_ERROR(PrepareExtensionDrop(statement));
  if (InternalDdlScope::IsOpen()) return Aftermath{};
  TVIEWS_RETURN_IF_ERROR(CheckOwnTables(statement));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (has_tviews) {
    TVIEWS_RETURN_IF_ERROR(CheckStatement(statement));
    TVIEWS_RETURN_IF_ERROR(PrepareForCommand(statement));
  }
  TVIEWS_ASSIGN_OR_RETURN(Aftermath aftermath, PlanAftermath(statement));
  if (has_tviews) {
    TVIEWS_ASSIGN_OR_RETURN(aftermath.retyping, MakeRoomForRetyping(statement));
    TVIEWS_ASSIGN_OR_RETURN(aftermath.drop_column_hint, HintForDropColumn(statement));
  }
  return aftermath;
}

// Where TVIEWs have come or changed while the command waited for locks beyond those on the
// relations that it names. A statement that gives relations other names is not read again.
absl::Status CheckAgain(const Node* statement, const Aftermath& aftermath) {
  if (aftermath.generation == pg::CatalogGeneration()) return absl::OkStatus();
  switch (nodeTag(statement)) {
    case T_RenameStmt:
    case T_AlterObjectSchemaStmt:
    case T_VacuumStmt:
    case T_ClusterStmt:
      return absl::OkStatus();
    default:
      return CheckStatement(statement);
  }
}

// What a dump has brought can be adopted now: the extension is there at last, or a restored table
// has the primary key that its adoption waits for.
absl::Status WakeForAdoption(const Node* statement) {
  if (IsA(statement, CreateExtensionStmt) && IsExtensionCommand(statement)) {
    TVIEWS_ASSIGN_OR_RETURN(const bool any_waits, AnyHasLabel());
    return any_waits ? NoteMetadataChange() : absl::OkStatus();
  }
  if (!IsA(statement, AlterTableStmt)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([statement]() -> RelationId {
                            return RangeVarGetRelid(
                                reinterpret_cast<const AlterTableStmt*>(statement)->relation,
                                NoLock, true);
                          }));
  if (relation == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool waits, AwaitsAdoption(relation));
  return waits ? NoteMetadataChange() : absl::OkStatus();
}

// A copy of the statement, where anything is to be changed in it.
absl::StatusOr<PlannedStmt*> Pin(PlannedStmt* planned) {
  if (!InternalDdlScope::IsOpen()) {
    TVIEWS_ASSIGN_OR_RETURN(const bool has_some, pg::HasTviews());
    if (has_some) TVIEWS_RETURN_IF_ERROR(LockViewsFirst(planned->utilityStmt));
  }
  TVIEWS_ASSIGN_OR_RETURN(PlannedStmt* const pinned, PinNames(planned));
  if (pinned == planned) return planned;
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (has_tviews) TVIEWS_RETURN_IF_ERROR(RemoveNoops(pinned));
  return pinned;
}

absl::Status AfterCommand(const Node* statement, const Aftermath& aftermath) {
  if (IsExtensionCommand(statement)) {
    TVIEWS_RETURN_IF_ERROR(pg::InvalidateInstallation());
  }
  TVIEWS_RETURN_IF_ERROR(FinishDrops(statement));
  ForgetNoted();
  TVIEWS_RETURN_IF_ERROR(WakeForAdoption(statement));
  if (InternalDdlScope::IsOpen()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(CheckAgain(statement, aftermath));
  TVIEWS_RETURN_IF_ERROR(RunAftermath(aftermath));
  return RecordDdl(statement, aftermath);
}

// What CREATE SCHEMA contains comes here as a part of it, though nothing has been decided about it
// before. No other command has these as parts.
bool IsElementOfSchema(const Node* statement) {
  return !InternalDdlScope::IsOpen() && (IsA(statement, CreateStmt) || IsA(statement, ViewStmt));
}

// Parts of a command come here too, in the middle of it; and transaction statements, which may have
// no transaction before or after.
bool IsWholeCommand(const Node* statement, ProcessUtilityContext context) {
  return (context != PROCESS_UTILITY_SUBCOMMAND || IsElementOfSchema(statement)) &&
         !IsA(statement, TransactionStmt) && IsTransactionState();
}

absl::StatusOr<DatabaseId> Park(const Node* statement, ProcessUtilityContext context) {
  TVIEWS_ASSIGN_OR_RETURN(const DatabaseId database,
                          DatabaseToPark(statement, context == PROCESS_UTILITY_TOPLEVEL));
  if (database != 0) TVIEWS_RETURN_IF_ERROR(ParkDatabase(database));
  return database;
}

const TransactionStmt* AsTransaction(const Node* statement) {
  return IsA(statement, TransactionStmt) ? reinterpret_cast<const TransactionStmt*>(statement)
                                         : nullptr;
}

bool IsCommitPrepared(const Node* statement) {
  const TransactionStmt* const transaction = AsTransaction(statement);
  return transaction != nullptr && transaction->kind == TRANS_STMT_COMMIT_PREPARED;
}

bool IsBegin(const Node* statement) {
  const TransactionStmt* const transaction = AsTransaction(statement);
  return transaction != nullptr &&
         (transaction->kind == TRANS_STMT_BEGIN || transaction->kind == TRANS_STMT_START);
}

// The transaction that COMMIT PREPARED is about to end, for which this session's reads wait then; 0
// for one of another database, or none.
absl::StatusOr<FullXid> PreparedXid(const Node* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return FullXid{0};
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT p.transaction FROM pg_catalog.pg_prepared_xact() p WHERE p.gid "
                           "= $1 AND p.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE "
                           "d.datname = pg_catalog.current_database())",
                           {std::string(AsTransaction(statement)->gid)}));
  if (found.rows.empty()) return FullXid{0};
  pg::RowReader column(found.rows[0]);
  const auto xid = column.Number<std::uint32_t>();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return pg::WidenXid(xid);
}

// SET TRANSACTION SNAPSHOT: the transaction's snapshot is the one that it was told to have.
bool ImportsSnapshot(const Node* statement) {
  if (!IsA(statement, VariableSetStmt)) return false;
  const auto* const set = reinterpret_cast<const VariableSetStmt*>(statement);
  return set->kind == VAR_SET_MULTI && strcmp(set->name, "TRANSACTION SNAPSHOT") == 0;
}

// What a COPY that reads a relation runs under counts as a running statement's snapshot.
void RunAsReader(const Node* statement) {
  if (MayHaveToWait()) {
    pg::Enter<bool>([statement]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(PrepareToRun(statement));
      return true;
    });
  }
  if (ImportsSnapshot(statement)) NoteQuery();
  if (!IsA(statement, CopyStmt)) return;
  const auto* const copy = reinterpret_cast<const CopyStmt*>(statement);
  if (MayHaveToWait()) {
    pg::Enter<bool>([copy]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(PrepareToCopy(copy));
      return true;
    });
  }
  if (!copy->is_from && copy->relation != nullptr) {
    pg::Enter<bool>([copy]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(CheckCopiesPopulated(copy));
      TVIEWS_RETURN_IF_ERROR(CheckExchangesBeforeCopy(copy));
      return true;
    });
  }
  NoteQuery();
  if (!copy->is_from && copy->relation != nullptr && ActiveSnapshotSet()) {
    SetRunningSnapshot(GetActiveSnapshot());
  }
}

// After a transaction statement.
absl::Status NoteTransaction(const Node* statement, FullXid prepared) {
  if (prepared != 0) SetLastRecordedXid(prepared);
  if (IsBegin(statement) && MayHaveToWait()) return AfterBegin();
  return absl::OkStatus();
}

void OnProcessUtility(PlannedStmt* planned, const char* source, bool read_only_tree,
                      ProcessUtilityContext context, ParamListInfo parameters,
                      QueryEnvironment* environment, DestReceiver* destination,
                      QueryCompletion* completion) {
  const Node* statement = planned->utilityStmt;
  const bool is_whole = IsWholeCommand(statement, context);
  Aftermath aftermath{};
  DatabaseId parked = 0;
  if (is_whole) {
    const bool is_done = pg::Enter<bool>(
        [planned, source, completion] { return DoInstead(planned, source, completion); });
    if (is_done) return;
    const RestoreStatement restore = pg::Enter<RestoreStatement>(
        [planned]() -> absl::StatusOr<RestoreStatement> { return AdaptRestore(planned); });
    if (restore.is_redundant) return;
    planned = restore.planned;
    planned = pg::Enter<PlannedStmt*>([planned] { return LeaveOutboxOut(planned); });
    if (planned == nullptr) return;
    planned = pg::Enter<PlannedStmt*>([planned] { return Pin(planned); });
    statement = planned->utilityStmt;
    aftermath = pg::Enter<Aftermath>([statement] { return BeforeCommand(statement); });
    parked = pg::Enter<DatabaseId>([statement, context] { return Park(statement, context); });
  }
  FullXid prepared = 0;
  if (IsCommitPrepared(statement) && IsTransactionState()) {
    prepared = pg::Enter<FullXid>([statement] { return PreparedXid(statement); });
  }
  // Parts of a command fire no event triggers.
  if (InternalDdlScope::IsBookkeeping()) context = PROCESS_UTILITY_SUBCOMMAND;
  SnapshotData* const running = RunningSnapshot();
  if (is_whole) RunAsReader(statement);
  ErrorContextCallback hint = {error_context_stack, GiveDropColumnHint,
                               const_cast<char*>(aftermath.drop_column_hint)};
  if (aftermath.drop_column_hint != nullptr) error_context_stack = &hint;
  if (previous_hook != nullptr) {
    previous_hook(planned, source, read_only_tree, context, parameters, environment, destination,
                  completion);
  } else {
    standard_ProcessUtility(planned, source, read_only_tree, context, parameters, environment,
                            destination, completion);
  }
  error_context_stack = hint.previous;
  SetRunningSnapshot(running);
  if (IsCommitPrepared(statement)) pg::change_queue::WakeApplier(MyDatabaseId);
  if (AsTransaction(statement) != nullptr && IsTransactionState()) {
    pg::Enter<bool>([statement, prepared]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(NoteTransaction(statement, prepared));
      return true;
    });
  }
  // VACUUM and the like end with another transaction than they began with.
  if (!is_whole || !IsTransactionState()) return;
  pg::Enter<bool>([statement, aftermath, parked]() -> absl::StatusOr<bool> {
    if (parked != 0) TVIEWS_RETURN_IF_ERROR(UnparkDatabase(parked));
    NoteCreateDatabase(statement);
    TVIEWS_RETURN_IF_ERROR(AfterCommand(statement, aftermath));
    return true;
  });
}

}  // namespace

void RegisterUtilityHook() {
  previous_hook = ProcessUtility_hook;
  ProcessUtility_hook = OnProcessUtility;
}

}  // namespace tviews::backend
