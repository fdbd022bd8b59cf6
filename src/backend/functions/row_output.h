// The rows of a set-returning function, put out one after the other.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  Open returns Status; Put may raise: call it inside pg::Call only
//
// Plain data: a Row may live inside a pg::Call.

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_ROW_OUTPUT_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_ROW_OUTPUT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "shared/shared_counter.h"
#include "shared/types.h"

struct FunctionCallInfoBaseData;
struct Tuplestorestate;
struct TupleDescData;

namespace tviews::backend {

struct RowOutput {
  Tuplestorestate* store;
  TupleDescData* descriptor;

  static absl::StatusOr<RowOutput> Open(FunctionCallInfoBaseData* fcinfo);
};

// Columns are filled from left to right. Inside a Call.
class Row {
 public:
  static constexpr int kMaxColumns = 24;

  void PutNull();
  void PutOid(Oid32 value);
  void PutOidUnlessZero(Oid32 value);
  void PutInt(std::int32_t value);
  void PutIntUnlessZero(std::int32_t value);
  void PutNumber(std::uint64_t value);
  void PutNumber(const SharedCounter& counter) { PutNumber(counter.Load()); }
  void PutNumberUnlessZero(std::uint64_t value);
  void PutMilliseconds(double microseconds);  // in whole microseconds
  void PutTime(Timestamp time);               // NULL if 0
  void PutText(const char* text);
  void PutXid(FullXid xid);
  void PutOids(const RelationId* oids, int count);

  void Store(const RowOutput& output);

 private:
  void PutValue(std::uintptr_t value) { values_[column_++] = value; }

  int column_ = 0;
  std::uintptr_t values_[kMaxColumns] = {};
  bool nulls_[kMaxColumns] = {};
};

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_ROW_OUTPUT_H_
