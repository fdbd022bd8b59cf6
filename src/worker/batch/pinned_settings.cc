#include "worker/batch/pinned_settings.h"

#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/settings.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <mb/pg_wchar.h>
#include <utils/guc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

void PinSettings() {
  pg::UserScope::OwnThisProcess();
  const struct {
    const char* name;
    const char* value;
  } pinned[] = {
      {"role", "none"},
      {"client_encoding", GetDatabaseEncodingName()},
      {"default_transaction_isolation", "repeatable read"},
      {"default_transaction_read_only", "off"},
      {"default_transaction_deferrable", "off"},
      {"session_replication_role", "origin"},
      {"statement_timeout", "0"},
      {"transaction_timeout", "0"},
      {"idle_in_transaction_session_timeout", "0"},
      {"idle_session_timeout", "0"},
      {"exit_on_error", "off"},
      {"restrict_nonsystem_relation_kind", ""},
      {"gin_fuzzy_search_limit", "0"},
      {"force_parallel_mode", "off"},
      {"debug_parallel_query", "off"},
      {"lo_compat_privileges", "off"},
      {"search_path", "pg_catalog, pg_temp"},
      {"synchronous_commit", "off"},
      {"row_security", "off"},
      {"jit", "off"},
      {"synchronize_seqscans", "off"},
      {"check_function_bodies", "off"},
      {"client_min_messages", "error"},
      {"pg_tviews.read_consistency", "eventual"},  // it would wait for itself
  };
  for (const auto& setting : pinned) {
    if (GetConfigOption(setting.name, true, false) == nullptr) continue;  // of another version
    SetConfigOption(setting.name, setting.value, PGC_SUSET, PGC_S_OVERRIDE);
  }
  char timeout[32];
  pg_snprintf(timeout, sizeof(timeout), "%d", pg::settings::lock_timeout);
  SetConfigOption("lock_timeout", timeout, PGC_SUSET, PGC_S_OVERRIDE);
}

}  // namespace tviews::worker
