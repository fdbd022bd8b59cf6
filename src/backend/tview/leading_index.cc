#include "backend/tview/leading_index.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/relation.h>
#include <catalog/pg_am.h>
#include <catalog/pg_class.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

bool IsLedBy(Relation index, AttributeNumber column) {
  const Oid method = index->rd_rel->relam;
  return index->rd_index->indisvalid && index->rd_index->indkey.values[0] == column &&
         (method == BTREE_AM_OID || method == HASH_AM_OID) &&
         RelationGetIndexPredicate(index) == NIL;
}

}  // namespace

bool HasLeadingIndex(RelationId relation, AttributeNumber column) {
  Relation opened = relation_open(relation, AccessShareLock);
  const char kind = opened->rd_rel->relkind;
  bool found =
      kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_MATVIEW;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(opened)) {
    if (found) break;
    Relation index = index_open(lfirst_oid(cell), AccessShareLock);
    found = IsLedBy(index, column);
    index_close(index, AccessShareLock);
  }
  relation_close(opened, AccessShareLock);
  return found;
}

}  // namespace tviews::backend
