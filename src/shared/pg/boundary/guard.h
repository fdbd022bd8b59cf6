// The only two ways across the line between C++ and PostgreSQL.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  this is where they cross
//
// (1) Inside C++ every failure is an absl::Status; nobody writes `throw`.
// (2) PostgreSQL calls C++ only through Enter or EnterQuietly.
// (3) C++ calls anything in PostgreSQL that can raise only through Call. The body holds server
//     calls and plain data: nothing with a destructor is created in it.
// (4) A failed Call ends the work. Its Status goes upwards unchanged to one of the three places
//     that may consume it: Enter (raises the original error, every field intact), RunSubtransaction
//     and RunTransaction (transaction_scope.h).
// (5) No LWLock is held across a Call.
// (6) A previous hook is called from a plain function, outside both.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_GUARD_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_GUARD_H_

#include <cstdint>
#include <exception>
#include <type_traits>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tviews::pg {

// A failure flattened to plain bytes, so that nothing needs destroying when the frame that holds it
// leaves by longjmp.
struct Failure {
  int sqlstate;  // packed as MAKE_SQLSTATE does
  bool parked;   // a captured PostgreSQL error waits: raise that one
  char message[1024];
  char detail[1024];
  char hint[512];
};

// Runs `body`; an error that it raises becomes a Status.
absl::Status Call(absl::FunctionRef<void()> body);

// Call for an expression with a plain value.
template <typename Body>
auto CallFor(Body body) -> absl::StatusOr<std::invoke_result_t<Body>> {
  using Result = std::invoke_result_t<Body>;
  static_assert(std::is_trivially_destructible_v<Result>);
  Result result{};
  absl::Status status = Call([&] { result = body(); });
  if (!status.ok()) return status;
  return result;
}

// Logs `status` at WARNING: its SQLSTATE, detail and hint, and before its message `while_doing`, a
// clause without a full stop. Raises nothing: where even the line cannot be formatted, it is lost.
void LogFailure(const absl::Status& status, const char* while_doing);

void Flatten(const absl::Status& status, Failure* failure) noexcept;
void Flatten(const char* exception_text, Failure* failure) noexcept;
[[noreturn]] void Raise(const Failure& failure);

// Makes room for captured errors. Called once, from _PG_init.
void InitializeGuard();

namespace internal {

// With TVIEWS_CHECK_BOUNDARY: runs `body` and turns an error that crossed C++ frames without a Call
// into "unguarded PostgreSQL error". Otherwise just runs it.
bool RunChecked(absl::FunctionRef<bool()> body, Failure* failure);

template <typename Result, typename Body>
[[gnu::noinline]] bool RunBody(Body& body, Result* result, Failure* failure) noexcept {
  try {
    absl::StatusOr<Result> outcome = body();
    if (outcome.ok()) {
      *result = *outcome;
      return true;
    }
    Flatten(outcome.status(), failure);
  } catch (const std::exception& e) {
    Flatten(e.what(), failure);
  } catch (...) {
    Flatten("unknown C++ exception", failure);
  }
  return false;  // everything C++ is gone by now
}

}  // namespace internal

// PostgreSQL -> C++. `body` returns StatusOr<Result>; a failure is raised as a PostgreSQL error.
template <typename Result, typename Body>
Result Enter(Body body) {
  static_assert(std::is_trivially_destructible_v<Body>);
  static_assert(std::is_trivially_destructible_v<Result>);
  Result result{};
  Failure failure;  // left as it is where all goes well, which it mostly does
  if (internal::RunChecked([&] { return internal::RunBody(body, &result, &failure); }, &failure)) {
    return result;
  }
  Raise(failure);  // this frame holds nothing with a destructor
}

// PostgreSQL -> C++ where nothing may fail: commit, abort, exit and invalidation callbacks. `body`
// returns void, allocates nothing that matters and raises nothing; an exception is counted
// (SlotTable.quiet_failures) and dropped.
template <typename Body>
void EnterQuietly(Body body) noexcept {
  static_assert(std::is_trivially_destructible_v<Body>);
  extern void CountQuietFailure() noexcept;
  try {
    body();
  } catch (...) {
    CountQuietFailure();
  }
}

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_GUARD_H_
