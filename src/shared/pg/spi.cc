#include "shared/pg/spi.h"

#include <utility>

#include "shared/pg/error.h"
#include "shared/pg/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <catalog/pg_type.h>
#include <executor/spi.h>
#include <utils/builtins.h>
#include "shared/pg/postgres_end.h"

namespace tviews::pg {
namespace {

absl::Status SpiError(int code) {
  return MakeError(absl::StatusCode::kInternal,
                   {.message = std::string("SPI failed: ") + SPI_result_code_string(code)});
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
      char* value = nullptr;
      TVIEWS_RETURN_IF_ERROR(
          Call([&] { value = SPI_getvalue(table->vals[i], table->tupdesc, column); }));
      row.push_back(value != nullptr ? SqlValue(value) : std::nullopt);
    }
    result.rows.push_back(std::move(row));
  }
  return result;
}

}  // namespace

absl::Status WithSpi(absl::FunctionRef<absl::Status()> body) {
  int code = 0;
  TVIEWS_RETURN_IF_ERROR(Call([&] { code = SPI_connect(); }));
  if (code != SPI_OK_CONNECT) return SpiError(code);
  TVIEWS_RETURN_IF_ERROR(body());
  TVIEWS_RETURN_IF_ERROR(Call([&] { code = SPI_finish(); }));
  return code == SPI_OK_FINISH ? absl::OkStatus() : SpiError(code);
}

absl::StatusOr<SqlResult> ExecuteSql(const std::string& sql, const SqlRow& parameters,
                                     bool read_only) {
  SqlResult result;
  TVIEWS_RETURN_IF_ERROR(WithSpi([&]() -> absl::Status {
    const int count = static_cast<int>(parameters.size());
    std::vector<Oid> types(parameters.size(), TEXTOID);
    std::vector<Datum> values(parameters.size());
    std::vector<char> nulls(parameters.size(), ' ');
    int code = 0;
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      for (int i = 0; i < count; ++i) {
        if (parameters[i].has_value()) {
          values[i] = CStringGetTextDatum(parameters[i]->c_str());
        } else {
          nulls[i] = 'n';
        }
      }
      code = SPI_execute_with_args(sql.c_str(), count, types.data(), values.data(), nulls.data(),
                                   read_only, 0);
    }));
    if (code < 0) return SpiError(code);
    TVIEWS_ASSIGN_OR_RETURN(result, TakeRows());
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace tviews::pg
