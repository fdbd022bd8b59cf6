#include "shared/pg/boundary/error.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/cord.h"

namespace tviews::pg {
namespace {

// Short enough for a std::string without memory: absl copies them to those who ask for payloads.
constexpr char kSqlState[] = "tviews/sqlstate";
constexpr char kDetail[] = "tviews/detail";
constexpr char kHint[] = "tviews/hint";

std::string Payload(const absl::Status& status, const char* url) {
  auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

// A payload is a Cord: looked at in place, because a copy may need memory.
void CopyPayload(const absl::Status& status, absl::string_view url, char* to,
                 std::size_t room) noexcept {
  std::size_t size = 0;
  status.ForEachPayload([&](absl::string_view name, const absl::Cord& payload) {
    if (name != url) return;
    for (const absl::string_view chunk : payload.Chunks()) {
      const std::size_t part = std::min(chunk.size(), room - 1 - size);
      std::memcpy(to + size, chunk.data(), part);
      size += part;
    }
  });
  to[size] = '\0';
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

void CopySqlState(const absl::Status& status, char* sqlstate) noexcept {
  constexpr std::size_t kRoom = 6;
  CopyPayload(status, kSqlState, sqlstate, kRoom);
  if (std::strlen(sqlstate) != kRoom - 1) {
    std::memcpy(sqlstate, DefaultSqlState(status.code()), kRoom);
  }
}

void CopyErrorDetail(const absl::Status& status, char* to, std::size_t room) noexcept {
  CopyPayload(status, kDetail, to, room);
}

void CopyErrorHint(const absl::Status& status, char* to, std::size_t room) noexcept {
  CopyPayload(status, kHint, to, room);
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
