#include "shared/pg/boundary/error.h"

#include <cstring>
#include <string>

#include "absl/strings/cord.h"

namespace tviews::pg {
namespace {

constexpr char kSqlState[] = "pg_tviews/sqlstate";
constexpr char kDetail[] = "pg_tviews/detail";
constexpr char kHint[] = "pg_tviews/hint";

std::string Payload(const absl::Status& status, const char* url) {
  auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

const char* DefaultSqlState(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "22023";
    case absl::StatusCode::kNotFound:
      return "42704";
    case absl::StatusCode::kAlreadyExists:
      return "42710";
    case absl::StatusCode::kFailedPrecondition:
      return "55000";
    case absl::StatusCode::kResourceExhausted:
      return "53000";
    case absl::StatusCode::kUnimplemented:
      return "0A000";
    case absl::StatusCode::kPermissionDenied:
      return "42501";
    case absl::StatusCode::kDeadlineExceeded:
      return "57014";
    default:
      return "XX000";
  }
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, const ErrorText& text) {
  absl::Status status(code, absl::string_view(text.message.data(), text.message.size()));
  if (text.sqlstate != nullptr) status.SetPayload(kSqlState, absl::Cord(text.sqlstate));
  if (!text.detail.empty()) status.SetPayload(kDetail, absl::Cord(text.detail));
  if (!text.hint.empty()) status.SetPayload(kHint, absl::Cord(text.hint));
  return status;
}

std::string SqlState(const absl::Status& status) {
  std::string sqlstate = Payload(status, kSqlState);
  return sqlstate.empty() ? DefaultSqlState(status.code()) : sqlstate;
}

std::string ErrorDetail(const absl::Status& status) { return Payload(status, kDetail); }
std::string ErrorHint(const absl::Status& status) { return Payload(status, kHint); }

bool HasSqlState(const absl::Status& status, const char* sqlstate) {
  return !status.ok() && SqlState(status).compare(0, std::strlen(sqlstate), sqlstate) == 0;
}

bool IsTransient(const absl::Status& status) {
  for (const char* sqlstate : {"40001", "40P01", "53", "55P03", "57", "58", "72000"}) {
    if (HasSqlState(status, sqlstate)) return true;
  }
  return false;
}

}  // namespace tviews::pg
