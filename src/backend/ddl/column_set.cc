#include "backend/ddl/column_set.h"

#include <string>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <catalog/pg_class.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

absl::StatusOr<bool> ReadsAny(RelationId view, const Columns& columns) {
  if (columns.empty()) return false;
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT d.refobjid, d.refobjsubid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend "
          "d"
          " ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid"
          " AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0"
          " WHERE r.ev_class = $1::pg_catalog.oid AND r.ev_type = '1'",
          {std::to_string(view)}));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const RelationId relation = column.Oid();
    if (columns.contains({relation, column.Number<AttributeNumber>()})) return true;
  }
  return false;
}

void AddAll(RelationId relation, const std::vector<AttributeNumber>& numbers, Columns* columns) {
  for (const AttributeNumber number : numbers) columns->insert({relation, number});
}

absl::StatusOr<std::vector<AttributeNumber>> AllColumns(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(
      const int count, pg::CallFor([relation] {
        HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
        if (!HeapTupleIsValid(row)) return 0;
        const int natts = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relnatts;
        ReleaseSysCache(row);
        return natts;
      }));
  std::vector<AttributeNumber> numbers;
  for (int i = 1; i <= count; ++i) numbers.push_back(static_cast<AttributeNumber>(i));
  return numbers;
}

}  // namespace tviews::backend
