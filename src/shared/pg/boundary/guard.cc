#include "shared/pg/boundary/guard.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/shmem/shmem.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/elog.h>
#include <utils/memutils.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr char kParked[] = "tviews/parked";

// The last captured error. One slot is enough: a failed Call ends the work, and ReThrowError copies
// what it raises.
MemoryContext parked_context = nullptr;
ErrorData* parked_error = nullptr;

// The only sigsetjmp in the tree. False: PostgreSQL raised, and the error is still on its error
// stack.
bool Try(absl::FunctionRef<void()> body) {
  struct Restore {
    sigjmp_buf* const jump = PG_exception_stack;
    ErrorContextCallback* const context = error_context_stack;
    ~Restore() {
      PG_exception_stack = jump;
      error_context_stack = context;
    }
  } restore;  // built before sigsetjmp, in the frame that is jumped to
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) return false;
  PG_exception_stack = &here;
  body();
  return true;
}

std::string Text(const char* text) { return text != nullptr ? text : ""; }

void CopyText(absl::string_view from, char* to, std::size_t room) noexcept {
  const std::size_t size = std::min(from.size(), room - 1);
  std::memcpy(to, from.data(), size);
  to[size] = '\0';
}

int PackSqlState(const char* s) { return MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4]); }

}  // namespace

void InitializeGuard() {
  parked_context = AllocSetContextCreate(TopMemoryContext, "pg_tviews captured error", 8 * 1024,
                                         8 * 1024, ALLOCSET_DEFAULT_MAXSIZE);
}

absl::Status Call(absl::FunctionRef<void()> body) {
  MemoryContext const memory = CurrentMemoryContext;
  if (Try(body)) return absl::OkStatus();
  MemoryContextReset(parked_context);
  MemoryContextSwitchTo(parked_context);
  const bool copied = Try([] { parked_error = CopyErrorData(); });
  FlushErrorState();
  MemoryContextSwitchTo(memory);
  if (!copied) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {.message = "out of memory", .sqlstate = "53200"});
  }
  const std::string sqlstate = unpack_sql_state(parked_error->sqlerrcode);
  absl::Status status =
      MakeError(absl::StatusCode::kAborted, {.message = Text(parked_error->message),
                                             .detail = Text(parked_error->detail),
                                             .hint = Text(parked_error->hint),
                                             .sqlstate = sqlstate.c_str()});
  status.SetPayload(kParked, absl::Cord("1"));  // tells Raise to use ReThrowError
  return status;
}

void Flatten(const absl::Status& status, Failure* failure) noexcept {
  failure->parked = false;
  status.ForEachPayload([failure](absl::string_view name, const absl::Cord&) {
    failure->parked = failure->parked || name == kParked;
  });
  char sqlstate[6];
  CopySqlState(status, sqlstate);
  failure->sqlstate = PackSqlState(sqlstate);
  CopyText(status.message(), failure->message, sizeof(failure->message));
  CopyErrorDetail(status, failure->detail, sizeof(failure->detail));
  CopyErrorHint(status, failure->hint, sizeof(failure->hint));
}

void Flatten(const char* exception_text, Failure* failure) noexcept {
  failure->parked = false;
  failure->sqlstate = ERRCODE_OUT_OF_MEMORY;
  std::size_t i = 0;
  for (; exception_text[i] != '\0' && i + 1 < sizeof(failure->message); ++i) {
    failure->message[i] = exception_text[i];
  }
  failure->message[i] = '\0';
  failure->detail[0] = '\0';
  failure->hint[0] = '\0';
}

void Raise(const Failure& failure) {
  if (failure.parked) ReThrowError(parked_error);
  ereport(ERROR, (errcode(failure.sqlstate), errmsg("%s", failure.message),
                  failure.detail[0] != '\0' ? errdetail("%s", failure.detail) : 0,
                  failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
  pg_unreachable();
}

void LogFailure(const absl::Status& status, const char* while_doing) {
  Failure failure{};
  Flatten(status, &failure);
  // A WARNING is not raised, but formatting it may run out of memory.
  Call([&] {
    ereport(WARNING, (errcode(failure.sqlstate), errmsg("%s: %s", while_doing, failure.message),
                      failure.detail[0] != '\0' ? errdetail("%s", failure.detail) : 0,
                      failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
  }).IgnoreError();
}

void CountQuietFailure() noexcept {
  if (SlotTable* const table = Slots(); table != nullptr) table->quiet_failures.Add(1);
}

namespace internal {

bool RunChecked(absl::FunctionRef<bool()> body, Failure* failure) {
#ifdef TVIEWS_CHECK_BOUNDARY
  bool result = false;
  MemoryContext const memory = CurrentMemoryContext;
  if (Try([&] { result = body(); })) return result;
  MemoryContextSwitchTo(memory);
  ErrorData* error = CopyErrorData();
  FlushErrorState();
  Flatten("unguarded PostgreSQL error", failure);
  failure->sqlstate = ERRCODE_INTERNAL_ERROR;
  CopyText(Text(error->message), failure->detail, sizeof(failure->detail));
  return false;
#else
  (void)failure;
  return body();
#endif
}

}  // namespace internal
}  // namespace tviews::pg
