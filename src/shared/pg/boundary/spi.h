// SQL from C++: a connection scope, and statements whose rows come back as text.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_SPI_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_SPI_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct SnapshotData;

namespace tviews::pg {

using SqlValue = std::optional<std::string>;  // text form; nullopt is NULL
using SqlRow = std::vector<SqlValue>;

struct SqlResult {
  std::uint64_t processed = 0;
  std::vector<SqlRow> rows;
};

// Runs `body` between SPI_connect and SPI_finish. On failure the connection is left to the
// rollback of the surrounding (sub)transaction, which closes it.
absl::Status WithSpi(absl::FunctionRef<absl::Status()> body);

// Executes one statement; $1, $2, ... are text values ($1::bigint and the like in the text give
// them another type). With `read_only` it runs under the active snapshot, otherwise under a new
// one as the isolation level says. Opens its own SPI connection.
absl::StatusOr<SqlResult> ExecuteSql(const std::string& sql, const SqlRow& parameters = {},
                                     bool read_only = false);

// The same under the latest snapshot whatever the isolation level: for the extension's own tables,
// whose rows must follow the catalogs rather than the transaction's snapshot.
absl::StatusOr<SqlResult> ExecuteSqlLatest(const std::string& sql, const SqlRow& parameters = {});

// A query that changes nothing, under the given snapshot.
absl::StatusOr<SqlResult> ExecuteSqlUnder(SnapshotData* snapshot, const std::string& sql,
                                          const SqlRow& parameters = {});

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_SPI_H_
