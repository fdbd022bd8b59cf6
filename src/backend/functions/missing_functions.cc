#include "backend/functions/missing_functions.h"

#include <cstring>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/elog.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

emit_log_hook_type previous = nullptr;

char hint[] =
    "pg_tviews is installed in each database by itself: CREATE EXTENSION pg_tviews, or add its "
    "schema to search_path. \\df *.pg_tviews_* lists what it has here, with arguments. Times are "
    "intervals, as in pg_tviews_wait('5 s').";

// No catalogs, no memory: the transaction is failing already. An error that ends a statement is
// forgotten with its memory context, so nobody frees the hint.
void AddHint(ErrorData* error) {
  if (previous != nullptr) previous(error);
  if (error->elevel != ERROR || error->sqlerrcode != ERRCODE_UNDEFINED_FUNCTION) return;
  if (error->message != nullptr && std::strstr(error->message, "pg_tviews_") != nullptr) {
    error->hint = hint;
  }
}

}  // namespace

void RegisterMissingFunctionHint() {
  previous = emit_log_hook;
  emit_log_hook = AddHint;
}

}  // namespace tviews::backend
