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
#include "shared/pg/server/datum_image.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"
#include "worker/batch/batch_watch.h"
#include "worker/core/ending.h"
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
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr char kImagesName[] = "pg_tviews_images";
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

struct Written {
  bool is_wrong = false;  // a group that cannot be
  Datum empty = 0;        // an array of the places of groups that are no more
  bool has_empty = false;
};

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
  written.empty = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &is_null);
  written.has_empty = !is_null;
  return written;
}

// Inside a Call, with SPI open.
void DeleteEmpty(const char* sql, Datum places) {
  Oid type = get_array_type(TIDOID);
  const int code = SPI_execute_with_args(sql, 1, &type, &places, nullptr, false, 0);
  if (code != SPI_OK_DELETE) {
    elog(ERROR, "removing empty groups failed: %s", SPI_result_code_string(code));
  }
}

absl::Status Malformed(int id) {
  return pg::MakeError(absl::StatusCode::kDataLoss,
                       {.message = absl::StrCat("group state ", id, " does not follow its source"),
                        .sqlstate = "XX001"});
}

// The sums of a row that is there with those of one that is added.
std::string AddedSums(int sums) {
  if (sums == 0) return "s.p";
  std::string text = "ARRAY[";
  for (int i = 1; i <= sums; ++i) {
    absl::StrAppend(&text, i == 1 ? "" : ", ", "s.p[", i, "] + excluded.p[", i, "]");
  }
  return text + "]";
}

absl::StatusOr<std::string> ColumnName(RelationId source, AttributeNumber attribute) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const name, pg::CallFor([&]() -> const char* {
                            return get_attname(source, attribute, false);
                          }));
  return QuoteIdentifier(name);
}

// The rows that a spec reads, from `from`, whose columns are called as in the table, or c<number>.
enum class Names : std::uint8_t { kTable, kDelta };
absl::StatusOr<std::string> WeightedRows(RelationId source,
                                         const std::vector<AttributeNumber>& columns, Names names,
                                         const std::string& from) {
  std::string list;
  for (const AttributeNumber attribute : columns) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, ColumnName(source, attribute));
    absl::StrAppend(&list, names == Names::kDelta ? absl::StrCat("c", attribute, " AS ") : "", name,
                    ", ");
  }
  return absl::StrCat(pg::kWeightedRows, " AS (SELECT ", list,
                      names == Names::kDelta ? "w" : "1::bigint", " AS ", pg::kWeightName, " FROM ",
                      from, ")");
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

}  // namespace

absl::Status GroupStates::Follow(const FollowedBatch& batch) {
  here_ = batch.here;
  if (loaded_at_ != batch.loads) {
    TVIEWS_RETURN_IF_ERROR(Load());
    loaded_at_ = batch.loads;
  }
  for (State& state : states_) {
    const RelationDelta* const delta = batch.deltas.Find(state.source);
    if (!state.is_valid || delta == nullptr) continue;
    TVIEWS_ASSIGN_OR_RETURN(const bool can_follow, CanFollow(state, batch, *delta));
    if (!can_follow) {
      TVIEWS_RETURN_IF_ERROR(Forget(&state));
      continue;
    }
    const TviewDefinition& tview = *batch.graph.Find(state.tview);
    const Attempt attempt = Within(tview, [&] { return Add(tview, &state, *delta); });
    if (attempt.status.ok()) continue;
    if (!attempt.is_of_the_state) return attempt.status;
    pg::LogFailure(attempt.status, "a group state is built anew");
    TVIEWS_RETURN_IF_ERROR(Forget(&state));
  }
  return states_.empty() ? absl::OkStatus() : ShowWritten();
}

// A TVIEW whose refresh has ended an applier may have done so here.
absl::StatusOr<bool> GroupStates::CanFollow(const State& state, const FollowedBatch& batch,
                                            const RelationDelta& delta) const {
  if (batch.graph.Find(state.tview) == nullptr || batch.standings.IsAccused(state.tview) ||
      !delta.is_counted()) {
    return false;
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string fingerprint, FingerprintOf(state));
  if (fingerprint != state.fingerprint) return false;
  return HasColumns(delta, state.source, state.columns);
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
    usable.list.push_back({.source = state.source, .spec = state.spec.c_str(), .id = state.id});
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
      pg::ExecuteSql("SELECT s.id, s.tview::oid, s.source::oid, s.key_type::oid,"
                     " array_to_string(s.columns, ' '), s.sums, s.spec, b.state IS NOT NULL,"
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
    state.columns = column.Numbers<AttributeNumber>();
    state.sums = column.Number<int>();
    state.spec = column.Text();
    state.is_valid = column.IsTrue();
    state.fingerprint = column.TextOrNothing();
    TVIEWS_RETURN_IF_ERROR(column.End());
    if (pg::GroupTableFor(state.key_type) != nullptr) states_.push_back(std::move(state));
  }
  // Of dropped TVIEWs.
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult left,
      pg::ExecuteSql("DELETE FROM tviews_internal.pg_tview_group_built b WHERE NOT EXISTS (SELECT"
                     " FROM tviews_internal.pg_tview_group_state s WHERE s.id = b.state)"
                     " RETURNING state"));
  for (const pg::SqlRow& row : left.rows) {
    for (const TypeId type : {INT4OID, INT8OID, UUIDOID, TEXTOID}) {
      TVIEWS_RETURN_IF_ERROR(
          pg::ExecuteSql(absl::StrCat("DELETE FROM ", TableOf(type), " WHERE state = $1::integer"),
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

absl::Status GroupStates::Add(const TviewDefinition& tview, State* state,
                              const RelationDelta& delta) {
  if (delta.images().empty()) return absl::OkStatus();
  const std::string table = TableOf(state->key_type);
  TVIEWS_ASSIGN_OR_RETURN(const std::string rows,
                          WeightedRows(state->source, state->columns, Names::kDelta, kImagesName));
  const std::string sql = absl::StrCat(
      "WITH ", rows, ", written AS (INSERT INTO ", table, " AS s (state, k, c, n, p) SELECT ",
      state->id, ", r.k, r.c, r.n, r.p FROM (", state->spec,
      ") AS r ON CONFLICT (state, k, c) DO UPDATE SET n = s.n + excluded.n, p = ",
      AddedSums(state->sums),
      " RETURNING s.ctid AS place, s.n, s.p) SELECT COALESCE(bool_or(n < 0 OR n = 0 AND NOT (0 ="
      " ALL (p))), false), array_agg(place) FILTER (WHERE n = 0) FROM written");
  const std::string empty = absl::StrCat("DELETE FROM ", table, " WHERE ctid = ANY ($1)");
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(GetUserId(), tview.settings));
  Written written;
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    absl::Status status;
    const std::vector<std::string> images = RowsOf(delta, &status);
    TVIEWS_RETURN_IF_ERROR(status);
    TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor,
                            DescribeImages(state->source, delta.image_columns()));
    TVIEWS_RETURN_IF_ERROR(
        RegisterRows(kImagesName, descriptor, images, MagnitudeOf(images.size())));
    return pg::Call([&] {
      written = ExecuteAdding(sql.c_str());
      if (!written.is_wrong && written.has_empty) DeleteEmpty(empty.c_str(), written.empty);
    });
  }));
  return written.is_wrong ? Malformed(state->id) : absl::OkStatus();
}

// Under the batch's snapshot, which sees what all its records have changed.
absl::Status GroupStates::Rebuild(const TviewDefinition& tview, State* state) {
  Build& build = builds_[state->id];
  const Timestamp begin = GetCurrentTimestamp();
  const Timestamp rest = kRestPerBuild * build.duration << std::min(build.failures, kMostDoublings);
  if (build.ended_at != 0 && begin - build.ended_at < rest) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string fingerprint, FingerprintOf(*state));
  const Attempt attempt = Within(tview, [&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const std::string source, RelationName(state->source));
    TVIEWS_ASSIGN_OR_RETURN(const std::string rows, WeightedRows(state->source, state->columns,
                                                                 Names::kTable, "ONLY " + source));
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                            pg::UserScope::AsDefinitionOwner(GetUserId(), tview.settings));
    const std::string table = TableOf(state->key_type);
    const std::string id = absl::StrCat(state->id);
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSql(absl::StrCat("DELETE FROM ", table, " WHERE state = ", id)).status());
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteSql(absl::StrCat("WITH ", rows, " INSERT INTO ", table,
                                                       " (state, k, c, n, p) SELECT ", id,
                                                       ", r.k, r.c, r.n, r.p FROM (", state->spec,
                                                       ") AS r WHERE r.n <> 0"))
                               .status());
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

// What makes the table another than the one that was read, though no row has been written. Empty:
// nothing is built of it.
absl::StatusOr<std::string> GroupStates::FingerprintOf(const State& state) const {
  Oid file = InvalidOid;
  bool is_alone = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(state.source));
    if (!HeapTupleIsValid(tuple)) return;
    const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    file = form->relfilenode;
    is_alone = form->relkind == RELKIND_RELATION && !form->relhassubclass &&
               form->relpersistence == RELPERSISTENCE_PERMANENT;
    ReleaseSysCache(tuple);
  }));
  if (!is_alone) return std::string();
  std::string text = absl::StrCat(here_.system_identifier, " ", here_.database, " ", file);
  for (const AttributeNumber attribute : state.columns) {
    NameData name{};
    Oid type = InvalidOid;
    Oid collation = InvalidOid;
    std::int32_t modifier = 0;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      HeapTuple const tuple =
          SearchSysCache2(ATTNUM, ObjectIdGetDatum(state.source), Int16GetDatum(attribute));
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

}  // namespace tviews::worker
