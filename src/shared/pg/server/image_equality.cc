#include "shared/pg/server/image_equality.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/nbtree.h>
#include <access/transam.h>
#include <catalog/pg_type.h>
#include <fmgr.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {

bool IsImageEqual(TypeId type, Oid32 collation) {
  const TypeCacheEntry* const entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
  if (!OidIsValid(entry->btree_opf) || entry->btree_opintype == BPCHAROID) return false;
  const Oid procedure = get_opfamily_proc(entry->btree_opf, entry->btree_opintype,
                                          entry->btree_opintype, BTEQUALIMAGE_PROC);
  if (!OidIsValid(procedure) || procedure >= FirstNormalObjectId) return false;
  return DatumGetBool(
      OidFunctionCall1Coll(procedure, collation, ObjectIdGetDatum(entry->btree_opintype)));
}

}  // namespace tviews::pg
