#include "shared/pg/common/awaiting_adoption.h"

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <miscadmin.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
absl::StatusOr<std::vector<Unfollowing>> WaitingForAdoption(SnapshotData* snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, QualifiedTable(CatalogTable::kMeta));
  TVIEWS_ASSIGN_OR_RETURN(const std::string letters, QualifiedTable(CatalogTable::kDeadLetter));
  // Not everybody may read dead letters.
  TVIEWS_ASSIGN_OR_RETURN(const UserScope user, UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const SqlResult found,
      ExecuteSqlUnder(
          snapshot,
          absl::StrCat("WITH RECURSIVE waiting (tview) AS (SELECT m.tview::oid FROM ", meta,
                       " AS m WHERE (m.system_identifier = $1::bigint AND m.database_oid ="
                       " $2::oid) IS NOT TRUE AND NOT EXISTS (SELECT FROM ",
                       letters,
                       " AS d WHERE d.tview = m.tview AND d.key IS NULL)"
                       " UNION SELECT m.tview::oid FROM ",
                       meta,
                       " AS m JOIN waiting ON waiting.tview = ANY (m.dependencies))"
                       " SELECT m.tview::oid, m.system_identifier = $1::bigint AND m.database_oid ="
                       " $2::oid, m.backing_view::oid, array_to_string(m.dependencies, ' ') FROM ",
                       meta, " AS m JOIN waiting ON waiting.tview = m.tview::oid"),
          {absl::StrCat(static_cast<std::int64_t>(GetSystemIdentifier())),
           absl::StrCat(MyDatabaseId)}));
  std::vector<Unfollowing> unfollowing;
  for (const SqlRow& row : found.rows) {
    RowReader column(row);
    Unfollowing tview;
    tview.tview = column.Oid();
    tview.is_adopted = column.IsTrue();
    tview.backing_view = column.Oid();
    tview.sources = column.Numbers<RelationId>();
    TVIEWS_RETURN_IF_ERROR(column.End());
    unfollowing.push_back(std::move(tview));
  }
  return unfollowing;
}

}  // namespace tviews::pg
