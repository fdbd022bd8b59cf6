#include "shared/pg/boundary/spi.h"

#include <cstring>
#include <utility>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/common/reader_bypass.h"
#include "shared/pg/planner/planner_defaults.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <executor/spi.h>
#include <utils/builtins.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

absl::Status SpiError(int code) {
  return MakeError(absl::StatusCode::kInternal,
                   {.message = std::string("SPI failed: ") + SPI_result_code_string(code)});
}

struct Bytes {
  const char* data = nullptr;  // null: NULL
  std::size_t size = 0;
};

// Called inside Call.
Bytes ValueOf(HeapTuple row, TupleDesc columns, int column) {
  if (SPI_gettypeid(columns, column) != BYTEAOID) {
    const char* const text = SPI_getvalue(row, columns, column);
    return {.data = text, .size = text == nullptr ? 0 : std::strlen(text)};
  }
  bool is_null = false;
  const Datum value = SPI_getbinval(row, columns, column, &is_null);
  if (is_null) return {};
  varlena* const bytes =
      pg_detoast_datum_packed(reinterpret_cast<varlena*>(DatumGetPointer(value)));
  return {.data = VARDATA_ANY(bytes), .size = VARSIZE_ANY_EXHDR(bytes)};
}

// Copies the rows of the last statement out of SPI's memory.
absl::StatusOr<SqlResult> TakeRows() {
  SqlResult result;
  result.processed = SPI_processed;
  SPITupleTable* const table = SPI_tuptable;
  if (table == nullptr) return result;
  const int columns = table->tupdesc->natts;
  result.rows.reserve(table->numvals);
  for (std::uint64_t i = 0; i < table->numvals; ++i) {
    SqlRow row;
    row.reserve(columns);
    for (int column = 1; column <= columns; ++column) {
      Bytes value;
      TVIEWS_RETURN_IF_ERROR(
          Call([&] { value = ValueOf(table->vals[i], table->tupdesc, column); }));
      row.push_back(value.data != nullptr ? SqlValue(std::string(value.data, value.size))
                                          : std::nullopt);
    }
    result.rows.push_back(std::move(row));
  }
  return result;
}

}  // namespace

absl::Status WithSpi(absl::FunctionRef<absl::Status()> body) {
  int code = 0;
  MemoryContext const outer = CurrentMemoryContext;
  TVIEWS_RETURN_IF_ERROR(Call([&] { code = SPI_connect(); }));
  if (code != SPI_OK_CONNECT) return SpiError(code);
  const MemoryContextData* const memory = CurrentMemoryContext;
  absl::Status status = body();
  CheckContextIs(memory);
  if (!status.ok()) {
    MemoryContextSwitchTo(outer);  // the rollback ends the connection, and its context
    return status;
  }
  TVIEWS_RETURN_IF_ERROR(Call([&] { code = SPI_finish(); }));
  return code == SPI_OK_FINISH ? absl::OkStatus() : SpiError(code);
}

namespace {

// Parameters as the server takes them.
struct Parameters {
  explicit Parameters(const SqlParameters& parameters)
      : values(parameters.size()), nulls(parameters.size(), ' ') {
    for (const SqlParameter& parameter : parameters) {
      types.push_back(parameter.is_bytes ? BYTEAOID : TEXTOID);
    }
  }

  int count() const { return static_cast<int>(types.size()); }

  std::vector<Oid> types;
  std::vector<Datum> values;
  std::vector<char> nulls;
};

// Called inside Call: makes the server's copy of `from` in the current memory context. Text and
// bytea have the same form.
void FillParameters(const SqlParameters& from, Parameters* parameters) {
  for (int i = 0; i < parameters->count(); ++i) {
    if (from[i].value.has_value()) {
      const std::string& value = *from[i].value;
      // Text ends at a zero byte, whoever has put one there.
      const std::size_t size = from[i].is_bytes ? value.size() : std::strlen(value.c_str());
      parameters->values[i] =
          PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(size)));
    } else {
      parameters->nulls[i] = 'n';
    }
  }
}

// Runs `execute` (an SPI call) in a connection of its own and takes its rows.
absl::StatusOr<SqlResult> Execute(const SqlParameters& from,
                                  absl::FunctionRef<int(Parameters*)> execute) {
  const ReaderBypass bypass;
  SqlResult result;
  Parameters parameters(from);
  TVIEWS_RETURN_IF_ERROR(WithSpi([&]() -> absl::Status {
    int code = 0;
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      FillParameters(from, &parameters);
      code = execute(&parameters);
    }));
    if (code < 0) return SpiError(code);
    TVIEWS_ASSIGN_OR_RETURN(result, TakeRows());
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<SqlResult> ExecuteOwn(const SqlParameters& from,
                                     absl::FunctionRef<int(Parameters*)> execute) {
  TVIEWS_ASSIGN_OR_RETURN(const PlannerDefaults defaults, PlannerDefaults::Make(FileLimit::kNone));
  return Execute(from, execute);
}

// Called inside Call.
int ExecuteNow(const std::string& sql, Parameters* p, SqlSnapshot snapshot) {
  return SPI_execute_with_args(sql.c_str(), p->count(), p->types.data(), p->values.data(),
                               p->nulls.data(), snapshot == SqlSnapshot::kActive, 0);
}

}  // namespace

absl::StatusOr<SqlResult> ExecuteSql(const std::string& sql, const SqlParameters& parameters,
                                     SqlSnapshot snapshot) {
  return ExecuteOwn(parameters, [&](Parameters* p) { return ExecuteNow(sql, p, snapshot); });
}

absl::StatusOr<SqlResult> ExecuteDefinition(const std::string& sql, const SqlParameters& parameters,
                                            SqlSnapshot snapshot) {
  return Execute(parameters, [&](Parameters* p) { return ExecuteNow(sql, p, snapshot); });
}

absl::Status ExecuteCommand(const std::string& sql) {
  TVIEWS_ASSIGN_OR_RETURN(const PlannerDefaults defaults, PlannerDefaults::Make(FileLimit::kAsSet));
  return Execute({}, [&](Parameters* p) { return ExecuteNow(sql, p, SqlSnapshot::kNew); }).status();
}

namespace {

enum class Writes : std::uint8_t { kAllowed, kRefused };

// Called inside Call.
int ExecuteUnder(const std::string& sql, Parameters* p, Snapshot snapshot, Writes writes) {
  SPIPlanPtr const plan = SPI_prepare(sql.c_str(), p->count(), p->types.data());
  if (plan == nullptr) return SPI_result;
  return SPI_execute_snapshot(plan, p->values.data(), p->nulls.data(), snapshot, InvalidSnapshot,
                              writes == Writes::kRefused, true, 0);
}

}  // namespace

absl::StatusOr<SqlResult> ExecuteSqlLatest(const std::string& sql,
                                           const SqlParameters& parameters) {
  return ExecuteOwn(parameters, [&](Parameters* p) {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    const int code = ExecuteUnder(sql, p, snapshot, Writes::kAllowed);
    UnregisterSnapshot(snapshot);
    return code;
  });
}

absl::StatusOr<SqlResult> ExecuteSqlUnder(SnapshotData* snapshot, const std::string& sql,
                                          const SqlParameters& parameters) {
  return ExecuteOwn(
      parameters, [&](Parameters* p) { return ExecuteUnder(sql, p, snapshot, Writes::kRefused); });
}

}  // namespace tviews::pg
