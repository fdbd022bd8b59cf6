#include "backend/tview/orphans.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/capture/trigger_installation.h"
#include "backend/ddl/audit_log.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/source_locks.h"
#include "backend/functions/function_values.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <fmgr.h>
#include <utils/syscache.h>

PG_FUNCTION_INFO_V1(tviews_drop_orphans);
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

using Rows = std::vector<pg::SqlRow>;

absl::StatusOr<bool> Exists(RelationId relation) {
  return pg::CallFor([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); });
}

absl::Status DropMetadata(Rows* dropped) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string letters,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(absl::StrCat(
          "SELECT known.tview, coalesce(m.entity, known.tview::text)"
          " FROM (SELECT tview::oid FROM ",
          meta, " UNION SELECT tview::oid FROM ", lineage, " UNION SELECT tview::oid FROM ",
          letters, ") AS known (tview) LEFT JOIN ", meta,
          " m ON m.tview = known.tview"
          " WHERE m.tview IS NULL OR NOT EXISTS (SELECT FROM pg_class WHERE oid = known.tview)"
          " ORDER BY 1")));
  std::set<RelationId> former;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    const RelationId tview = column.Oid();
    const std::string entity = column.Text();
    TVIEWS_RETURN_IF_ERROR(column.End());
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, DeleteMetadata(tview));
    for (const RelationId source : sources) {
      TVIEWS_ASSIGN_OR_RETURN(const bool exists, Exists(source));
      if (exists) former.insert(source);
    }
    dropped->push_back({"metadata", entity});
  }
  return RemoveUnneededCaptureTriggers(former);
}

// A capture trigger that nobody needs; names are quoted.
struct Orphan {
  std::string table_name;
  std::string trigger;
  RelationId table = 0;
};

absl::StatusOr<Orphan> ReadOrphan(const pg::SqlRow& row) {
  pg::RowReader column(row);
  Orphan orphan;
  orphan.table_name = column.Text();
  orphan.trigger = column.Text();
  orphan.table = column.Oid();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return orphan;
}

absl::Status DropTriggers(Rows* dropped) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string orphans,
                          ExtensionObject("pg_tviews_capture_trigger_state"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(absl::StrCat(
          "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(s.trigger), c.oid FROM ",
          orphans,
          " s JOIN pg_class c ON c.oid = s.relation JOIN pg_namespace n ON n.oid = c.relnamespace"
          " WHERE s.is_orphan ORDER BY 1, 2")));
  std::vector<Orphan> orphaned;
  std::vector<RelationId> tables;
  for (const pg::SqlRow& row : found.rows) {
    TVIEWS_ASSIGN_OR_RETURN(orphaned.emplace_back(), ReadOrphan(row));
    tables.push_back(orphaned.back().table);
  }
  TVIEWS_RETURN_IF_ERROR(LockTrees({}, tables));
  for (const Orphan& orphan : orphaned) {
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand(
        absl::StrCat("DROP TRIGGER ", orphan.trigger, " ON ", orphan.table_name)));
    dropped->push_back({"trigger", absl::StrCat(orphan.trigger, " on ", orphan.table_name)});
  }
  return absl::OkStatus();
}

absl::StatusOr<Rows> DropAll() {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  Rows dropped;
  TVIEWS_RETURN_IF_ERROR(DropMetadata(&dropped));
  TVIEWS_RETURN_IF_ERROR(DropTriggers(&dropped));
  return dropped;
}

absl::Status RecordDrops(const Rows& dropped) {
  std::vector<std::string> objects;
  for (const pg::SqlRow& row : dropped) {
    pg::RowReader column(row);
    column.Text();  // its kind
    objects.push_back(column.Text());
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return RecordAction("DROP ORPHANS", "", {{"dropped", absl::StrJoin(objects, ", ")}});
}

}  // namespace

absl::StatusOr<Rows> DropOrphans() {
  TVIEWS_ASSIGN_OR_RETURN(Rows dropped, DropAll());
  TVIEWS_RETURN_IF_ERROR(RecordDrops(dropped));
  return dropped;
}

}  // namespace tviews::backend

TVIEWS_EXPORT Datum tviews_drop_orphans(PG_FUNCTION_ARGS) {
  return tviews::pg::Enter<Datum>([fcinfo]() -> absl::StatusOr<Datum> {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<tviews::pg::SqlRow> dropped,
                            tviews::backend::DropOrphans());
    TVIEWS_RETURN_IF_ERROR(tviews::backend::ReturnRows(fcinfo, dropped));
    return Datum{0};
  });
}
