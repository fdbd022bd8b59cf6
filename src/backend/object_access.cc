#include "backend/object_access.h"

#include "backend/tview_drop.h"
#include "shared/pg/catalog.h"
#include "shared/pg/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <catalog/objectaccess.h>
#include <catalog/pg_class.h>
#include <catalog/pg_extension.h>
#include <commands/extension.h>
#include "shared/pg/postgres_end.h"

namespace tviews::backend {
namespace {

object_access_hook_type previous_hook = nullptr;

// Also DROP SCHEMA ... CASCADE and DROP OWNED may drop the extension.
absl::Status NoteExtensionDrop(Oid extension) {
  TVIEWS_ASSIGN_OR_RETURN(const Oid ours,
                          pg::CallFor([] { return get_extension_oid("pg_tviews", true); }));
  return extension == ours ? pg::InvalidateInstallation() : absl::OkStatus();
}

void OnObjectAccess(ObjectAccessType access, Oid class_id, Oid object, int sub_id, void* argument) {
  if (previous_hook != nullptr) previous_hook(access, class_id, object, sub_id, argument);
  if (access != OAT_DROP || sub_id != 0) return;
  if (class_id != RelationRelationId && class_id != ExtensionRelationId) return;
  pg::Enter<bool>([class_id, object]() -> absl::StatusOr<bool> {
    TVIEWS_RETURN_IF_ERROR(class_id == RelationRelationId ? NoteDrop(object)
                                                          : NoteExtensionDrop(object));
    return true;
  });
}

}  // namespace

void RegisterObjectAccessHook() {
  previous_hook = object_access_hook;
  object_access_hook = OnObjectAccess;
}

}  // namespace tviews::backend
