#include "shared/pg/common/dead_letter.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/relation.h>
#include <access/table.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr AttrNumber kTview = 1;  // of pg_tview_dead_letter, first in its index too

}  // namespace

absl::StatusOr<bool> HasDeadLetter(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kDeadLetter));
  return CallFor([table, tview] {
    Relation letters = try_relation_open(table, AccessShareLock);
    if (letters == nullptr) return false;  // the extension has just been dropped
    ScanKeyData key;
    ScanKeyInit(&key, kTview, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(tview));
    SysScanDesc scan = systable_beginscan(
        letters, get_relname_relid("pg_tview_dead_letter_key", RelationGetNamespace(letters)), true,
        nullptr, 1, &key);
    const bool found = HeapTupleIsValid(systable_getnext(scan));
    systable_endscan(scan);
    table_close(letters, AccessShareLock);
    return found;
  });
}

}  // namespace tviews::pg
