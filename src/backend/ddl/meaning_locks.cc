#include "backend/ddl/meaning_locks.h"

#include <string>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_proc.h>
#include <miscadmin.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// What initdb pins, below 12000, has no dependencies, and nobody changes it. Of a relation all
// columns count: that a view reads its rows as a whole is not recorded beside columns of it.
constexpr char kUsed[] =
    "WITH RECURSIVE used (class, object) AS ("
    " SELECT * FROM (SELECT 'pg_rewrite'::regclass::oid, oid FROM pg_rewrite"
    " WHERE ev_class = $1::oid UNION ALL SELECT 'pg_proc'::regclass, refobjid FROM pg_depend"
    " WHERE classid = 'pg_class'::regclass AND objid = $1::oid"
    " AND refclassid = 'pg_proc'::regclass) AS first UNION"
    " SELECT step.class, step.object FROM used CROSS JOIN LATERAL ("
    " SELECT d.refclassid, d.refobjid FROM pg_depend d"
    " WHERE d.classid = used.class AND d.objid = used.object AND d.deptype IN ('n', 'a')"
    " AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass,"
    " 'pg_type'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass,"
    " 'pg_collation'::regclass)"
    " UNION ALL SELECT r.tableoid, r.oid FROM pg_depend d JOIN pg_rewrite r"
    " ON r.ev_class = d.refobjid WHERE d.classid = used.class AND d.objid = used.object"
    " AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> $1::oid"
    " UNION ALL SELECT 'pg_type'::regclass, a.atttypid FROM pg_depend d JOIN pg_attribute a"
    " ON a.attrelid = d.refobjid AND a.attnum > 0"
    " WHERE d.classid = used.class AND d.objid = used.object"
    " AND d.refclassid = 'pg_class'::regclass AND a.atttypid <> 0"
    " UNION ALL SELECT 'pg_type'::regclass, part.type FROM pg_type t CROSS JOIN LATERAL ("
    " SELECT t.typelem UNION ALL SELECT t.typbasetype"
    " UNION ALL SELECT rngsubtype FROM pg_range WHERE t.oid IN (rngtypid, rngmultitypid)"
    " UNION ALL SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid"
    " AND NOT attisdropped AND attnum > 0) AS part (type)"
    " WHERE used.class = 'pg_type'::regclass AND t.oid = used.object AND part.type <> 0)"
    " AS step (class, object))"
    " SELECT DISTINCT class, object FROM used WHERE class IN ('pg_proc'::regclass,"
    " 'pg_type'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass,"
    " 'pg_collation'::regclass) AND object >= 12000 ORDER BY 1, 2";

}  // namespace

absl::Status LockMeaningOf(RelationId view) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                          pg::ExecuteSqlLatest(kUsed, {std::to_string(view)}));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const Oid32 object_class = column.Oid();
    const Oid32 object = column.Oid();
    TVIEWS_RETURN_IF_ERROR(
        pg::Call([=] { LockDatabaseObject(object_class, object, 0, ShareLock); }));
  }
  return absl::OkStatus();
}

absl::Status LockToChangeMeaning(Oid32 object_class, Oid32 object) {
  return pg::Call([=] {
    if (!pg::compat::OwnsObject(object_class, object, GetUserId())) return;
    LockDatabaseObject(object_class, object, 0, ShareUpdateExclusiveLock);
  });
}

}  // namespace tviews::backend
