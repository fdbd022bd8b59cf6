// A change record: one transaction's deltas, and their wire form.
//
// Layer:   core
// Sharing: private to one process
// Errors:  Parse returns InvalidArgument for bytes that are no record
//
// The wire form is proto/pg_tviews/v1/change_record.proto. No other file sees the generated code.

#ifndef PG_TVIEWS_SHARED_CHANGE_RECORD_H_
#define PG_TVIEWS_SHARED_CHANGE_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "shared/delta.h"
#include "shared/types.h"

namespace tviews {

// Which cluster and database a record belongs to; records of another one are ignored.
struct Origin {
  std::uint64_t system_identifier = 0;
  DatabaseId database = 0;
  friend bool operator==(const Origin&, const Origin&) = default;
};

struct ChangeRecord {
  Origin origin;
  Timestamp written_at = 0;
  DeltaSet deltas;
};

// Appends the wire form of a record to `out`. REQUIRES: `origin` has no zero in it.
void SerializeChangeRecord(const Origin& origin, Timestamp written_at, const DeltaSet& deltas,
                           std::string* out);

// Relations whose keys do not fit into `memory_limit` count as changed as a whole; no more than
// that is taken at any time, whatever the size of the record.
absl::StatusOr<ChangeRecord> ParseChangeRecord(
    std::string_view bytes, std::size_t memory_limit = std::numeric_limits<std::size_t>::max());

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_CHANGE_RECORD_H_
