// SQL from C++: a connection scope, and statements whose rows come back as values of C++.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  returns Status

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_SPI_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_SPI_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct SnapshotData;

namespace tviews::pg {

// nullopt is NULL. In rows: the bytes of a bytea, the text form of everything else.
using SqlValue = std::optional<std::string>;
using SqlRow = std::vector<SqlValue>;

// A parameter of type bytea.
struct SqlBytes {
  SqlValue value;
};

// Text, unless it says otherwise. What is written as text may be given as one: hence no `explicit`.
struct SqlParameter {
  SqlParameter(SqlValue text) : value(std::move(text)) {}
  SqlParameter(std::string text) : value(std::move(text)) {}
  SqlParameter(const char* text) : value(text) {}
  SqlParameter(SqlBytes bytes) : value(std::move(bytes.value)), is_bytes(true) {}

  SqlValue value;
  bool is_bytes = false;
};
using SqlParameters = std::vector<SqlParameter>;

// What a statement sees: a new snapshot, as the isolation level says, or, reading only, the active
// one.
enum class SqlSnapshot : std::uint8_t { kNew, kActive };

struct SqlResult {
  std::uint64_t processed = 0;
  std::vector<SqlRow> rows;
};

// Runs `body` between SPI_connect and SPI_finish. On failure the connection is left to the
// rollback of the surrounding (sub)transaction, which closes it.
absl::Status WithSpi(absl::FunctionRef<absl::Status()> body);

// Three kinds of statements. The extension's own read and write catalogs and its tables: they are
// planned with built-in settings, and have room for temporary files, whatever an administrator or a
// role has set. Commands change tables of users: temp_file_limit holds for them. What a definition
// executes runs with the settings that are there.

// Executes one statement of the extension's own; $1, $2, ... are values of type text ($1::bigint
// and the like in the statement give them another one), or bytea. Opens its own SPI connection.
absl::StatusOr<SqlResult> ExecuteSql(const std::string& sql, const SqlParameters& parameters = {},
                                     SqlSnapshot snapshot = SqlSnapshot::kNew);

// The same under the latest snapshot whatever the isolation level: for the extension's own tables,
// whose rows must follow the catalogs rather than the transaction's snapshot.
absl::StatusOr<SqlResult> ExecuteSqlLatest(const std::string& sql,
                                           const SqlParameters& parameters = {});

// A query that changes nothing, under the given snapshot.
absl::StatusOr<SqlResult> ExecuteSqlUnder(SnapshotData* snapshot, const std::string& sql,
                                          const SqlParameters& parameters = {});

// A command over tables of users, under a new snapshot.
absl::Status ExecuteCommand(const std::string& sql);

// What a definition executes, in a scope of its owner.
absl::StatusOr<SqlResult> ExecuteDefinition(const std::string& sql,
                                            const SqlParameters& parameters = {},
                                            SqlSnapshot snapshot = SqlSnapshot::kNew);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_SPI_H_
