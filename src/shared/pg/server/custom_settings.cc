#include "shared/pg/server/custom_settings.h"

#include <cstring>

#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/guc.h>
#include <utils/guc_tables.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr char kOurs[] = "pg_tviews.";

// 16: the settings moved from an array to a hash table.
config_generic** Settings(int* count) {
#if PG_VERSION_NUM >= 160000
  return get_guc_variables(count);
#else
  *count = GetNumConfigOptions();
  return get_guc_variables();
#endif
}

// What is set for the server or the database is the same in every process. One that was set and is
// reset is an empty text instead of none.
bool IsOfSession(const config_generic& setting) {
  if (strchr(setting.name, '.') == nullptr) return false;
  if (strncmp(setting.name, kOurs, sizeof(kOurs) - 1) == 0) return false;
  return setting.source > PGC_S_DATABASE ||
         (setting.source == PGC_S_DEFAULT && (setting.flags & GUC_CUSTOM_PLACEHOLDER) != 0);
}

}  // namespace

absl::StatusOr<std::string> CustomSettingOfSession() {
  TVIEWS_ASSIGN_OR_RETURN(const char* name, pg::CallFor([]() -> const char* {
                            int count = 0;
                            config_generic** const settings = Settings(&count);
                            for (int i = 0; i < count; ++i) {
                              if (IsOfSession(*settings[i])) return pstrdup(settings[i]->name);
                            }
                            return nullptr;
                          }));
  return std::string(name != nullptr ? name : "");
}

}  // namespace tviews::pg
