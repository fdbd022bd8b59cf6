#include "backend/ddl/object_access.h"

#include <string>

#include "backend/ddl/aftermath.h"
#include "backend/tview/drop.h"
#include "backend/tview/dropped.h"
#include "backend/tview/label.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/repack.h"
#include "shared/pg/shmem/worker_slots.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <access/xact.h>
#include <catalog/indexing.h>
#include <catalog/objectaccess.h>
#include <catalog/pg_cast.h>
#include <catalog/pg_class.h>
#include <catalog/pg_extension.h>
#include <catalog/pg_namespace.h>
#include <catalog/pg_rewrite.h>
#include <catalog/pg_trigger.h>
#include <catalog/pg_ts_config.h>
#include <commands/extension.h>
#include <miscadmin.h>
#include <utils/fmgroids.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

object_access_hook_type previous_hook = nullptr;

// Set while the transaction has dropped the extension: the applier is to learn of it.
bool has_dropped_extension = false;

// Also DROP SCHEMA ... CASCADE and DROP OWNED may drop the extension.
absl::Status NoteExtensionDrop(Oid extension) {
  TVIEWS_ASSIGN_OR_RETURN(const Oid ours,
                          pg::CallFor([] { return get_extension_oid("pg_tviews", true); }));
  if (extension != ours) return absl::OkStatus();
  has_dropped_extension = true;
  TVIEWS_RETURN_IF_ERROR(RemoveLabels());
  return pg::InvalidateInstallation();
}

// Extensions create triggers past the utility hook (pg_ivm's IMMVs do), to follow the table that
// has them. They would follow nothing: the applier does not fire triggers. One for TRUNCATE alone
// (pglogical's, which reads the rest in the WAL) misses nothing, because no TVIEW is truncated.
// pg_repack's is the one that the applier does fire.
absl::Status CheckNewTrigger(Oid trigger) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(
      const RelationId relation, pg::CallFor([trigger]() -> RelationId {
        Relation const table = table_open(TriggerRelationId, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(trigger));
        SysScanDesc const scan =
            systable_beginscan(table, TriggerOidIndexId, true, SnapshotSelf, 1, &key);
        const HeapTuple row = systable_getnext(scan);
        Oid found = InvalidOid;
        if (HeapTupleIsValid(row)) {
          const auto* const made = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(row));
          const int events = made->tgtype & TRIGGER_TYPE_EVENT_MASK;
          if (events != TRIGGER_TYPE_TRUNCATE && !pg::IsOfRepack(made->tgfoid)) {
            found = made->tgrelid;
          }
        }
        systable_endscan(scan);
        table_close(table, AccessShareLock);
        return found;
      }));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (!is_tview) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(relation));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "cannot create a trigger on TVIEW \"" + name + "\"",
                        .detail = "The applier's changes fire no triggers: what follows a table by "
                                  "triggers would not follow this one.",
                        .hint = "Let it follow the source tables, or make a TVIEW that reads this "
                                "one.",
                        .sqlstate = "42809"});
}

// An applier that is woken up without need finds nothing to do, so a rolled-back subtransaction
// makes no difference.
void OnTransactionEnd(XactEvent event, void*) {
  pg::EnterQuietly([event] {
    if (event == XACT_EVENT_COMMIT && has_dropped_extension) {
      if (pg::DatabaseSlot* const slot = pg::FindSlot(MyDatabaseId); slot != nullptr) {
        pg::WakeApplierOf(slot);
      }
    }
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) has_dropped_extension = false;
  });
}

void OnObjectAccess(ObjectAccessType access, Oid class_id, Oid object, int sub_id, void* argument) {
  if (previous_hook != nullptr) previous_hook(access, class_id, object, sub_id, argument);
  if (access == OAT_POST_CREATE && class_id == TriggerRelationId) {
    pg::Enter<bool>([object]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(CheckNewTrigger(object));
      return true;
    });
  }
  if ((access == OAT_POST_CREATE || access == OAT_DROP) && class_id == CastRelationId) {
    pg::Enter<bool>([object]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(NoteCast(object));
      return true;
    });
  }
  if (class_id == TSConfigRelationId ||
      (access == OAT_POST_ALTER && class_id == NamespaceRelationId)) {
    pg::Enter<bool>([]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(NoteSearchConfigurations());
      return true;
    });
  }
  if (access != OAT_DROP) return;
  if (class_id == RewriteRelationId) {
    pg::Enter<bool>([object]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(NoteRuleDrop(object));
      return true;
    });
  }
  if (class_id != RelationRelationId && class_id != ExtensionRelationId) return;
  pg::Enter<bool>([class_id, object, sub_id]() -> absl::StatusOr<bool> {
    if (sub_id != 0) {
      TVIEWS_RETURN_IF_ERROR(NoteColumnDrop(object));
      return true;
    }
    TVIEWS_RETURN_IF_ERROR(class_id == RelationRelationId ? NoteDrop(object)
                                                          : NoteExtensionDrop(object));
    return true;
  });
}

}  // namespace

void RegisterObjectAccessHook() {
  previous_hook = object_access_hook;
  object_access_hook = OnObjectAccess;
  RegisterXactCallback(OnTransactionEnd, nullptr);
}

}  // namespace tviews::backend
