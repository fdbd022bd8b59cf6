#include "backend/tview/column_upkeep.h"

#include <algorithm>
#include <cstdint>

#include "backend/tview/key_type.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_type.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

#ifdef USE_LZ4
constexpr bool kHasLz4 = true;
#else
constexpr bool kHasLz4 = false;
#endif

bool IsDocument(const OutputColumn& column) {
  return column.name == "data" &&
         (column.type == JSONBOID || column.type == JSONOID || column.type == TEXTOID);
}

bool IsForLookups(const OutputColumn& column) {
  return column.name == "id" || column.name.starts_with("fk_");
}

}  // namespace

absl::Status CompressDocuments(const std::string& table, const std::vector<OutputColumn>& columns) {
  for (const OutputColumn& column : columns) {
    if (!kHasLz4 || !IsDocument(column)) continue;
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand("ALTER TABLE " + table + " ALTER COLUMN " +
                                              QuoteIdentifier(column.name) +
                                              " SET COMPRESSION lz4"));
  }
  return absl::OkStatus();
}

absl::Status CreateLookupIndexes(RelationId table, const std::vector<OutputColumn>& columns,
                                 const std::vector<AttributeNumber>& without) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(table));
  for (const OutputColumn& column : columns) {
    if (!IsForLookups(column)) continue;
    AttrNumber number = 0;
    Oid type = InvalidOid;
    Oid collation = InvalidOid;
    std::int32_t modifier = -1;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      number = get_attnum(table, column.name.c_str());
      get_atttypetypmodcoll(table, number, &type, &modifier, &collation);
    }));
    if (std::find(without.begin(), without.end(), number) != without.end()) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string method, LookupIndexMethod(type, modifier));
    if (method.empty()) continue;
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand("CREATE INDEX ON " + name + " USING " + method +
                                              " (" + QuoteIdentifier(column.name) + ")"));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
