#include "shared/pg/server/column_dependencies.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/dependency.h>
#include <catalog/indexing.h>
#include <catalog/pg_class.h>
#include <catalog/pg_collation.h>
#include <catalog/pg_depend.h>
#include <catalog/pg_type.h>
#include <utils/fmgroids.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

void DeleteTypeDependencies(Oid relation, AttrNumber number) {
  Relation const depend = table_open(DependRelationId, RowExclusiveLock);
  ScanKeyData keys[3];
  ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(RelationRelationId));
  ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(relation));
  ScanKeyInit(&keys[2], Anum_pg_depend_objsubid, BTEqualStrategyNumber, F_INT4EQ,
              Int32GetDatum(number));
  SysScanDesc const scan =
      systable_beginscan(depend, DependDependerIndexId, true, nullptr, 3, keys);
  for (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row);
       row = systable_getnext(scan)) {
    const Oid referenced = reinterpret_cast<Form_pg_depend>(GETSTRUCT(row))->refclassid;
    if (referenced == TypeRelationId || referenced == CollationRelationId) {
      CatalogTupleDelete(depend, &row->t_self);
    }
  }
  systable_endscan(scan);
  table_close(depend, RowExclusiveLock);
}

}  // namespace

void ReplaceTypeDependencies(RelationId relation, AttributeNumber number, TypeId type,
                             Oid32 collation) {
  DeleteTypeDependencies(relation, number);
  if (!OidIsValid(type)) return;
  const ObjectAddress column = {RelationRelationId, relation, number};
  const ObjectAddress its_type = {TypeRelationId, type, 0};
  recordDependencyOn(&column, &its_type, DEPENDENCY_NORMAL);
  if (!OidIsValid(collation) || collation == DEFAULT_COLLATION_OID) return;
  const ObjectAddress its_collation = {CollationRelationId, collation, 0};
  recordDependencyOn(&column, &its_collation, DEPENDENCY_NORMAL);
}

}  // namespace tviews::pg
