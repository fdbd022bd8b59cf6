#include "shared/pg/server/inheritors.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_class.h>
#include <catalog/pg_inherits.h>
#include <nodes/pg_list.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Nothing looks for news of a drop between this and the same question of the next function.
bool Exists(Oid relation) { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); }

}  // namespace

bool MayHaveInheritors(RelationId relation) { return Exists(relation) && has_subclass(relation); }

List* FindInheritors(RelationId relation, int mode) {
  List* found = list_make1_oid(relation);
  List* alive = nullptr;
  for (int i = 0; i < list_length(found); ++i) {
    const Oid next = list_nth_oid(found, i);
    if (!Exists(next)) continue;
    alive = lappend_oid(alive, next);
    List* const children = find_inheritance_children(next, mode);
    // Partitions have one parent.
    found = get_rel_relkind(next) == RELKIND_PARTITIONED_TABLE
                ? list_concat(found, children)
                : list_concat_unique_oid(found, children);
  }
  return alive;
}

}  // namespace tviews::pg
