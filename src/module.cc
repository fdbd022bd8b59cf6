// The module's entry point: checks, then everything that has to be registered at load.
//
// Layer:   module
// Sharing: runs once, in the postmaster
// Errors:  raises through Enter

#include "backend/capture/transaction.h"
#include "backend/ddl/database_ddl.h"
#include "backend/ddl/object_access.h"
#include "backend/ddl/utility_hook.h"
#include "backend/functions/missing_functions.h"
#include "backend/reading/executor_hook.h"
#include "backend/tview/label.h"
#include "backend/tview/restore_session.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/shmem.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"
#include "worker/launcher/launcher.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
PG_MODULE_MAGIC;
#include "shared/pg/boundary/postgres_end.h"

namespace tviews {
namespace {

absl::Status CheckPreloaded() {
  if (process_shared_preload_libraries_in_progress) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "pg_tviews must be loaded with shared_preload_libraries",
                        .hint = "Add this line to postgresql.conf and restart the server: "
                                "shared_preload_libraries = 'pg_tviews'"});
}

absl::Status Load() {
  // The servers of pg_upgrade put the extension together object by object, and change no row:
  // nothing is to be noted, refused or refreshed there.
  if (IsBinaryUpgrade) {
    if (!process_shared_preload_libraries_in_progress) return absl::OkStatus();
    return pg::Call([] {
      pg::InitializeGuard();
      pg::settings::RegisterSettings();
      backend::RegisterLabelProvider();
    });
  }
  TVIEWS_RETURN_IF_ERROR(CheckPreloaded());
  TVIEWS_RETURN_IF_ERROR(pg::Call([] {
    pg::InitializeGuard();
    pg::settings::RegisterSettings();
    pg::InitializeCatalog();
    pg::InitializeCaptureConfig();
    pg::InitializeSharedMemory();
    pg::RegisterPlannerHook();
    backend::RegisterTransactionCallbacks();
    worker::RegisterLauncher();
    backend::RegisterUtilityHook();
    backend::RegisterExecutorHooks();
    backend::RegisterMissingFunctionHint();
    backend::RegisterObjectAccessHook();
    backend::RegisterLabelProvider();
    backend::RegisterRestoreHook();
    backend::RegisterDatabaseCallbacks();
  }));
  return absl::OkStatus();
}

}  // namespace
}  // namespace tviews

TVIEWS_EXPORT void _PG_init(void);
TVIEWS_EXPORT void _PG_init(void) {
  tviews::pg::Enter<bool>([]() -> absl::StatusOr<bool> {
    TVIEWS_RETURN_IF_ERROR(tviews::Load());
    return true;
  });
}
