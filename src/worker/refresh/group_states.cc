#include "worker/refresh/group_states.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/planner/group_slots.h"
#include "shared/pg/server/datum_image.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_watch.h"
#include "worker/core/ending.h"
#include "worker/refresh/group_statements.h"
#include "worker/refresh/named_rows.h"
#include "worker/refresh/statement_cache.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/xact.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_class.h>
#include <catalog/pg_type.h>
#include <executor/spi.h>
#include <miscadmin.h>
#include <storage/lmgr.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// A state that does not last is not built all the time: building takes at most a tenth of it, and
// half as much after each failure in a row.
constexpr Timestamp kRestPerBuild = 10;
constexpr int kMostDoublings = 10;

std::string TableOf(TypeId key_type) {
  return absl::StrCat("tviews_internal.", pg::GroupTableFor(key_type));
}

// The statements that follow see what this one wrote, under the same snapshot.
absl::Status ShowWritten() {
  return pg::Call([] {
    CommandCounterIncrement();
    PopActiveSnapshot();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

// An array of places of rows.
struct Places {
  Datum array = 0;
  bool any = false;
};

struct Written {
  bool is_wrong = false;  // a group that cannot be
  Places empty;           // groups that are no more
  Places doubtful;        // groups with doubtful extremes
};

// Inside a Call, with SPI open.
Places PlacesAt(HeapTuple row, int column) {
  bool is_null = false;
  const Datum array = SPI_getbinval(row, SPI_tuptable->tupdesc, column, &is_null);
  return {.array = array, .any = !is_null};
}

// Inside a Call, with SPI open.
Written ExecuteAdding(const char* sql) {
  const int code = SPI_execute(sql, false, 0);
  if (code != SPI_OK_SELECT) {
    elog(ERROR, "adding to a group state failed: %s", SPI_result_code_string(code));
  }
  Written written;
  bool is_null = false;
  HeapTuple const row = SPI_tuptable->vals[0];
  written.is_wrong = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &is_null));
  written.empty = PlacesAt(row, 2);
  written.doubtful = PlacesAt(row, 3);
  return written;
}

// Inside a Call, with SPI open.
void ExecuteAt(const char* sql, Places places, int expected) {
  Oid type = get_array_type(TIDOID);
  const int code = SPI_execute_with_args(sql, 1, &type, &places.array, nullptr, false, 0);
  if (code != expected) {
    elog(ERROR, "writing a group state failed: %s", SPI_result_code_string(code));
  }
}

absl::Status Malformed(int id) {
  return pg::MakeError(absl::StatusCode::kDataLoss,
                       {.message = absl::StrCat("group state ", id, " does not follow its source"),
                        .sqlstate = "XX001"});
}

absl::StatusOr<std::string> ColumnName(RelationId source, AttributeNumber attribute) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const name, pg::CallFor([&]() -> const char* {
                            return get_attname(source, attribute, false);
                          }));
  return QuoteIdentifier(name);
}

absl::StatusOr<std::string> RelationName(RelationId relation) {
  const char* schema = nullptr;
  const char* name = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    schema = get_namespace_name(get_rel_namespace(relation));
    name = get_rel_name(relation);
    if (schema == nullptr || name == nullptr) elog(ERROR, "relation %u does not exist", relation);
  }));
  return QuoteQualified(schema, name);
}

bool HasColumn(const RelationDelta& delta, AttributeNumber attribute, TypeId type) {
  const std::vector<CapturedColumn>& columns = delta.image_columns();
  return std::any_of(columns.begin(), columns.end(), [&](const CapturedColumn& column) {
    return column.attribute == attribute && column.type == type;
  });
}

// True if images of `delta` have the columns of a state, as the table has them now.
absl::StatusOr<bool> HasColumns(const RelationDelta& delta, RelationId source,
                                const std::vector<AttributeNumber>& columns) {
  for (const AttributeNumber attribute : columns) {
    TVIEWS_ASSIGN_OR_RETURN(const TypeId type,
                            pg::CallFor([&] { return get_atttype(source, attribute); }));
    if (!HasColumn(delta, attribute, type)) return false;
  }
  return true;
}

std::vector<std::string> RowsOf(const RelationDelta& delta, absl::Status* status) {
  std::vector<std::string> rows;
  rows.reserve(delta.images().size());
  for (const auto& [image, weight] : delta.images()) {
    std::string& row = rows.emplace_back(image);
    *status = pg::AppendDatumField(static_cast<pg::DatumValue>(weight), false,
                                   {.length = sizeof(std::int64_t), .by_value = true}, &row);
    if (!status->ok()) break;
  }
  return rows;
}

absl::StatusOr<std::string> FingerprintOfTable(RelationId table,
                                               const std::vector<AttributeNumber>& columns) {
  Oid file = InvalidOid;
  bool is_alone = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(tuple)) return;
    const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    file = form->relfilenode;
    is_alone = form->relkind == RELKIND_RELATION && !form->relhassubclass &&
               form->relpersistence == RELPERSISTENCE_PERMANENT;
    ReleaseSysCache(tuple);
  }));
  if (!is_alone) return std::string();
  std::string text = absl::StrCat(file);
  for (const AttributeNumber attribute : columns) {
    NameData name{};
    Oid type = InvalidOid;
    Oid collation = InvalidOid;
    std::int32_t modifier = 0;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      HeapTuple const tuple =
          SearchSysCache2(ATTNUM, ObjectIdGetDatum(table), Int16GetDatum(attribute));
      if (!HeapTupleIsValid(tuple)) return;
      const auto* const form = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
      type = form->attisdropped ? InvalidOid : form->atttypid;
      name = form->attname;
      collation = form->attcollation;
      modifier = form->atttypmod;
      ReleaseSysCache(tuple);
    }));
    if (type == InvalidOid) return std::string();
    absl::StrAppend(&text, " ", NameStr(name), " ", type, " ", collation, " ", modifier);
  }
  return text;
}

absl::StatusOr<bool> LockAtOnce(const std::vector<RelationId>& tables) {
  for (const RelationId table : tables) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_locked, pg::CallFor([table] {
                              return ConditionalLockRelationOid(table, AccessShareLock);
                            }));
    if (!is_locked) return false;
  }
  return true;
}

TableChange ChangeOf(const RelationDelta* delta) {
  TableChange change;
  if (delta == nullptr) return change;
  for (const auto& [image, weight] : delta->images()) {
    change.has_added = change.has_added || weight > 0;
    change.has_removed = change.has_removed || weight < 0;
  }
  return change;
}

// With SPI open.
absl::Status RegisterImages(std::size_t place, RelationId source, const RelationDelta& delta) {
  absl::Status status;
  const std::vector<std::string> images = RowsOf(delta, &status);
  TVIEWS_RETURN_IF_ERROR(status);
  TVIEWS_ASSIGN_OR_RETURN(TupleDescData* const descriptor,
                          DescribeImages(source, delta.image_columns()));
  return RegisterRows(GroupImagesName(place).c_str(), descriptor, images,
                      MagnitudeOf(images.size()));
}

}  // namespace

absl::Status GroupStates::Follow(const FollowedBatch& batch) {
  here_ = batch.here;
  if (loaded_at_ != batch.loads) {
    TVIEWS_RETURN_IF_ERROR(Load());
    loaded_at_ = batch.loads;
  }
  for (State& state : states_) {
    const bool is_concerned =
        std::any_of(state.sources.begin(), state.sources.end(),
                    [&](RelationId source) { return batch.deltas.Find(source) != nullptr; });
    if (!state.is_valid || !is_concerned) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool can_follow, CanFollow(state, batch));
    if (!can_follow) {
      TVIEWS_RETURN_IF_ERROR(Forget(&state));
      continue;
    }
    const TviewDefinition& tview = *batch.graph.Find(state.tview);
    const Attempt attempt = Within(tview, [&] { return Add(tview, state, batch.deltas); });
    if (attempt.status.ok()) continue;
    if (!attempt.is_of_the_state) return attempt.status;
    pg::LogFailure(attempt.status, "a group state is built anew");
    TVIEWS_RETURN_IF_ERROR(Forget(&state));
  }
  return states_.empty() ? absl::OkStatus() : ShowWritten();
}

// A TVIEW whose refresh has ended an applier may have done so here. Tables of which something is
// read are locked, without waiting for anybody, before it is asked whether they are those that the
// state was built of.
absl::StatusOr<bool> GroupStates::CanFollow(const State& state, const FollowedBatch& batch) const {
  if (batch.graph.Find(state.tview) == nullptr || batch.standings.IsAccused(state.tview)) {
    return false;
  }
  if (state.sources.size() > 1 || state.extremes > 0) {
    TVIEWS_ASSIGN_OR_RETURN(const bool are_locked, LockAtOnce(state.sources));
    if (!are_locked) return false;
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string fingerprint, FingerprintOf(state));
  if (fingerprint != state.fingerprint) return false;
  for (std::size_t i = 0; i < state.sources.size(); ++i) {
    const RelationDelta* const delta = batch.deltas.Find(state.sources[i]);
    if (delta == nullptr) continue;
    if (!delta->is_counted()) return false;
    TVIEWS_ASSIGN_OR_RETURN(const bool has_columns,
                            HasColumns(*delta, state.sources[i], state.columns[i]));
    if (!has_columns) return false;
  }
  return true;
}

// Who waits for a lock, and an operator, interrupt the batch; everything else is the state's own.
GroupStates::Attempt GroupStates::Within(const TviewDefinition& tview,
                                         absl::FunctionRef<absl::Status()> work) {
  const auto timeout = tview.refresh_timeout.value_or(pg::settings::refresh_timeout);
  const auto memory = tview.refresh_memory.value_or(pg::settings::refresh_memory);
  BatchWatch::Piece piece(tview.relation, static_cast<std::int64_t>(timeout));
  Attempt attempt;
  {
    const MemoryLimit limit(data_in_use_->At(GetCurrentTimestamp()), memory * 1024);
    attempt.status = pg::RunSubtransaction(work);
  }
  const Ending ending = piece.End(attempt.status);
  attempt.is_of_the_state =
      ending == Ending::kTimedOut || IsAgainstTheData(ending, Trust::kExhausted);
  return attempt;
}

absl::StatusOr<UsableStates> GroupStates::Prepare(const TviewDefinition& tview) {
  UsableStates usable;
  for (State& state : states_) {
    if (state.tview != tview.relation) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string fingerprint, FingerprintOf(state));
    if (state.is_valid && fingerprint != state.fingerprint) TVIEWS_RETURN_IF_ERROR(Forget(&state));
    if (!state.is_valid && !fingerprint.empty()) {
      TVIEWS_RETURN_IF_ERROR(Rebuild(tview, &state));
    }
    if (!state.is_valid) continue;
    usable.list.push_back({.sources = state.sources.data(),
                           .source_count = static_cast<int>(state.sources.size()),
                           .body = state.texts.body.c_str(),
                           .id = state.id});
    absl::StrAppend(&usable.name, state.id, " ");
  }
  return usable;
}

absl::Status GroupStates::Doubt(RelationId tview) {
  for (State& state : states_) {
    if (state.tview == tview && state.is_valid) TVIEWS_RETURN_IF_ERROR(Forget(&state));
  }
  return absl::OkStatus();
}

absl::Status GroupStates::Load() {
  states_.clear();
  TVIEWS_ASSIGN_OR_RETURN(const bool has_states,
                          pg::HasCatalogTable(pg::CatalogTable::kGroupState));
  if (!has_states) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSql(
          "SELECT s.id, s.tview::oid, s.source::oid, s.key_type::oid, s.sums, s.extremes,"
          " s.spec, s.body, s.places, s.merged, s.renewed, s.added, s.valued, s.counted, b.state "
          "IS NOT NULL,"
          " b.fingerprint FROM tviews_internal.pg_tview_group_state s LEFT JOIN"
          " tviews_internal.pg_tview_group_built b ON b.state = s.id ORDER BY s.id",
          {}, pg::SqlSnapshot::kActive));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    State state;
    state.id = column.Number<int>();
    state.tview = column.Oid();
    state.source = column.Oid();
    state.key_type = column.Oid();
    state.sums = column.Number<int>();
    state.extremes = column.Number<int>();
    state.spec = column.Text();
    state.texts.body = column.Text();
    state.texts.places = column.Text();
    state.texts.merged = column.Text();
    state.texts.renewed = column.Text();
    state.texts.added = column.Text();
    state.texts.valued = column.Text();
    state.texts.counted = column.Text();
    state.is_valid = column.IsTrue();
    state.fingerprint = column.TextOrNothing();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (pg::GroupTableFor(state.key_type) != nullptr) states_.push_back(std::move(state));
  }
  TVIEWS_RETURN_IF_ERROR(LoadSources());
  return RemoveLeft();
}

absl::Status GroupStates::LoadSources() {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSql("SELECT state, source::oid, array_to_string(columns, ' ') FROM"
                     " tviews_internal.pg_tview_group_source ORDER BY state, place",
                     {}, pg::SqlSnapshot::kActive));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const int id = column.Number<int>();
    const RelationId source = column.Oid();
    std::vector<AttributeNumber> columns = column.Numbers<AttributeNumber>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    const auto state = std::find_if(states_.begin(), states_.end(),
                                    [id](const State& candidate) { return candidate.id == id; });
    if (state == states_.end()) continue;
    state->sources.push_back(source);
    state->columns.push_back(std::move(columns));
  }
  return absl::OkStatus();
}

// Of dropped TVIEWs.
absl::Status GroupStates::RemoveLeft() {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult left,
      pg::ExecuteSql("DELETE FROM tviews_internal.pg_tview_group_built b WHERE NOT EXISTS (SELECT"
                     " FROM tviews_internal.pg_tview_group_state s WHERE s.id = b.state)"
                     " RETURNING state"));
  for (const pg::SqlRow& row : left.rows) {
    for (const TypeId type : {INT4OID, INT8OID, UUIDOID, TEXTOID, TEXTARRAYOID}) {
      TVIEWS_RETURN_IF_ERROR(
          pg::ExecuteSql(absl::StrCat("DELETE FROM ", TableOf(type),
                                      " WHERE state IN ($1::integer, -$1::integer)"),
                         {row[0]})
              .status());
    }
  }
  return absl::OkStatus();
}

absl::Status GroupStates::Forget(State* state) {
  state->is_valid = false;
  return pg::ExecuteSql(
             "DELETE FROM tviews_internal.pg_tview_group_built WHERE state = $1::integer",
             {absl::StrCat(state->id)})
      .status();
}

absl::StatusOr<WrittenState> GroupStates::Writable(const State& state) {
  WrittenState written{.id = state.id,
                       .sums = state.sums,
                       .extremes = state.extremes,
                       .rows = TableOf(state.key_type),
                       .texts = state.texts,
                       .tables = {}};
  for (std::size_t i = 0; i < state.sources.size(); ++i) {
    GroupTable& table = written.tables.emplace_back();
    TVIEWS_ASSIGN_OR_RETURN(table.name, RelationName(state.sources[i]));
    for (const AttributeNumber attribute : state.columns[i]) {
      TVIEWS_ASSIGN_OR_RETURN(std::string name, ColumnName(state.sources[i], attribute));
      table.columns.emplace_back(attribute, std::move(name));
    }
  }
  return written;
}

absl::Status GroupStates::Add(const TviewDefinition& tview, const State& state,
                              const DeltaSet& deltas) {
  std::vector<TableChange> changes;
  for (const RelationId source : state.sources) changes.push_back(ChangeOf(deltas.Find(source)));
  const std::vector<JoinStep> steps = JoinSteps(changes);
  if (steps.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const WrittenState described, Writable(state));
  const std::string empty = absl::StrCat("DELETE FROM ", described.rows, " WHERE ctid = ANY ($1)");
  const std::string renew = RenewingStatement(described);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(GetUserId(), tview.settings));
  return pg::WithSpi([&]() -> absl::Status {
    for (std::size_t i = 0; i < state.sources.size(); ++i) {
      const RelationDelta* const delta = deltas.Find(state.sources[i]);
      if (delta == nullptr || delta->images().empty()) continue;
      TVIEWS_RETURN_IF_ERROR(RegisterImages(i, state.sources[i], *delta));
    }
    std::vector<Places> doubtful;
    for (const JoinStep& step : steps) {
      std::vector<std::string> statements = {
          AddingStatement(described, step, ExtremesOf(step, changes))};
      if (state.texts.has_values()) {
        statements.push_back(ValuesAddingStatement(described, step));
      }
      for (const std::string& sql : statements) {
        TVIEWS_ASSIGN_OR_RETURN(const Written written,
                                pg::CallFor([&] { return ExecuteAdding(sql.c_str()); }));
        if (written.is_wrong) return Malformed(state.id);
        if (written.doubtful.any) doubtful.push_back(written.doubtful);
        if (!written.empty.any) continue;
        TVIEWS_RETURN_IF_ERROR(
            pg::Call([&] { ExecuteAt(empty.c_str(), written.empty, SPI_OK_DELETE); }));
      }
    }
    // In the tables as they are now, so after the last step.
    for (const Places& places : doubtful) {
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { ExecuteAt(renew.c_str(), places, SPI_OK_UPDATE); }));
    }
    return absl::OkStatus();
  });
}

// Under the batch's snapshot, which sees what all its records have changed.
absl::Status GroupStates::Rebuild(const TviewDefinition& tview, State* state) {
  Build& build = builds_[state->id];
  const Timestamp begin = GetCurrentTimestamp();
  const Timestamp rest = kRestPerBuild * build.duration << std::min(build.failures, kMostDoublings);
  if (build.ended_at != 0 && begin - build.ended_at < rest) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string fingerprint, FingerprintOf(*state));
  const Attempt attempt = Within(tview, [&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const WrittenState described, Writable(*state));
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                            pg::UserScope::AsDefinitionOwner(GetUserId(), tview.settings));
    const std::string id = absl::StrCat(state->id);
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteSql(absl::StrCat("DELETE FROM ", described.rows,
                                                       " WHERE state IN (", id, ", -", id, ")"))
                               .status());
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteSql(BuildingStatement(described)).status());
    if (state->texts.has_values()) {
      TVIEWS_RETURN_IF_ERROR(pg::ExecuteSql(ValuesBuildingStatement(described)).status());
    }
    return pg::ExecuteSql(
               "INSERT INTO tviews_internal.pg_tview_group_built (state, fingerprint,"
               " built_at) VALUES ($1::integer, $2, clock_timestamp())",
               {id, fingerprint})
        .status();
  });
  build.ended_at = GetCurrentTimestamp();
  build.duration = build.ended_at - begin;
  build.failures = attempt.status.ok() ? 0 : build.failures + 1;
  if (!attempt.status.ok()) {
    if (!attempt.is_of_the_state) return attempt.status;
    pg::LogFailure(attempt.status, "a group state cannot be built");
    return absl::OkStatus();
  }
  state->is_valid = true;
  state->fingerprint = fingerprint;
  return ShowWritten();
}

// What makes the tables others than those that were read, though no row has been written. Empty:
// nothing is built of them.
absl::StatusOr<std::string> GroupStates::FingerprintOf(const State& state) const {
  std::string text = absl::StrCat(here_.system_identifier, " ", here_.database);
  for (std::size_t i = 0; i < state.sources.size(); ++i) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                            FingerprintOfTable(state.sources[i], state.columns[i]));
    if (table.empty()) return table;
    absl::StrAppend(&text, " ", table);
  }
  return text;
}

}  // namespace tviews::worker
