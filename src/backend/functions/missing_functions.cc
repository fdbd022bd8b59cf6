#include "backend/functions/missing_functions.h"

#include <cstddef>
#include <cstring>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/elog.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

emit_log_hook_type previous = nullptr;

char missing_function[] =
    "pg_tviews is installed in each database by itself: CREATE EXTENSION pg_tviews, or add its "
    "schema to search_path. \\df *.pg_tviews_* lists what it has here, with arguments. Times are "
    "intervals, as in pg_tviews_wait('5 s').";
char missing_relation[] =
    "pg_tviews is installed in each database by itself: CREATE EXTENSION pg_tviews, or add its "
    "schema to search_path. \\dv *.*tview* lists the views that it has here.";
char forbidden_function[] =
    "Its owner may GRANT EXECUTE on it. Members of pg_monitor may call what only looks.";

char missing_parameter[] = "Parameters of a TVIEW begin with pg_tviews., as in pg_tviews.lane.";

constexpr const char* kParameters[] = {
    "key",           "entity",      "notify", "feed",       "function_reads",
    "clock_period",  "group_state", "lane",   "lag_target", "refresh_timeout",
    "refresh_memory"};

bool IsParameterWithoutPrefix(const char* message) {
  const char* const place = std::strstr(message, "unrecognized parameter \"");
  if (place == nullptr) return false;
  const char* const written = std::strchr(place, '"') + 1;
  for (const char* const name : kParameters) {
    const std::size_t length = std::strlen(name);
    if (std::strncmp(written, name, length) == 0 && written[length] == '"') return true;
  }
  return false;
}

// The hint for this error, if it is about something that is, or would be, the extension's own.
char* HintFor(const ErrorData& error) {
  const char* const text = error.message;
  if (text == nullptr) return nullptr;
  const auto speaks_of = [text](const char* part) { return std::strstr(text, part) != nullptr; };
  switch (error.sqlerrcode) {
    case ERRCODE_UNDEFINED_FUNCTION:
      return speaks_of("pg_tviews_") ? missing_function : nullptr;
    case ERRCODE_UNDEFINED_TABLE:
      return speaks_of("\"tviews\"") || speaks_of("\"pg_tview") ? missing_relation : nullptr;
    case ERRCODE_INSUFFICIENT_PRIVILEGE:
      return speaks_of("for function pg_tviews_") ? forbidden_function : nullptr;
    case ERRCODE_INVALID_PARAMETER_VALUE:
      return error.hint == nullptr && IsParameterWithoutPrefix(text) ? missing_parameter : nullptr;
    default:
      return nullptr;
  }
}

// No catalogs, no memory: the transaction is failing already. An error that ends a statement is
// forgotten with its memory context, so nobody frees the hint.
void AddHint(ErrorData* error) {
  if (previous != nullptr) previous(error);
  if (error->elevel != ERROR) return;
  char* const hint = HintFor(*error);
  if (hint != nullptr) error->hint = hint;
}

}  // namespace

void RegisterMissingFunctionHint() {
  previous = emit_log_hook;
  emit_log_hook = AddHint;
}

}  // namespace tviews::backend
