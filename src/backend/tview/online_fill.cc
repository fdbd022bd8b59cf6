#include "backend/tview/online_fill.h"

#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "backend/tview/facts.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/inval.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// A range of keys is a range of something that is read: some occurrence has all of the key, or
// several have it together. Elsewhere all rows have to be computed to have some.
bool CanBeSliced(std::size_t key_columns, const Analysis& analysis) {
  std::set<std::size_t> found;
  for (const SourceLineage& source : analysis.sources) {
    for (const LineagePath& path : source.paths) {
      if (path.strategy != Strategy::kDirect) continue;
      if (path.part.empty()) return true;
      found.insert(path.part.begin(), path.part.end());
    }
  }
  return found.size() == key_columns;
}

// How far the fill is, for people.
absl::StatusOr<std::string> ProgressText(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kFill));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT CASE WHEN in_one_go THEN 'It is filled in one go, in a batch of the applier.'"
          " WHEN rows_done = 0 OR rows_expected IS NULL THEN 'Its fill has not begun.'"
          " ELSE format('%s percent are filled (%s of about %s rows); about %s are left.',"
          " round(least(99.9, 100.0 * rows_done / total), 1), rows_done, total,"
          " make_interval(secs => round(extract(epoch FROM clock_timestamp() - started_at)"
          " * (total - rows_done) / rows_done)::float8)) END"
          " FROM (SELECT *, greatest(rows_expected, rows_done) AS total FROM " +
              table + ") AS fill WHERE tview = $1::oid",
          {std::to_string(tview)}));
  if (found.rows.empty()) return std::string();
  pg::RowReader column(found.rows[0]);
  std::string text = column.TextOrNothing();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return text;
}

absl::StatusOr<bool> IsUnpopulated(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
  return state.has_value() && state->is_unpopulated;
}

}  // namespace

absl::Status FillOnline(RelationId tview, const std::string& table, std::size_t key_columns,
                        const Analysis& analysis) {
  const bool in_one_go = !CanBeSliced(key_columns, analysis);
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    TVIEWS_ASSIGN_OR_RETURN(const std::string fills, pg::QualifiedTable(pg::CatalogTable::kFill));
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSqlLatest(
            "INSERT INTO " + fills + " (tview, in_one_go) VALUES ($1::oid, $2::boolean)",
            {std::to_string(tview), in_one_go ? "true" : "false"})
            .status());
    TVIEWS_RETURN_IF_ERROR(NoteMetadataChange());
  }
  // A query of nothing has nothing that could take long.
  if (!in_one_go || analysis.sources.empty()) return absl::OkStatus();
  return pg::Call([&] {
    ereport(NOTICE,
            (errmsg("TVIEW \"%s\" is filled in one go", table.c_str()),
             errdetail("Its query cannot be computed for some keys after others. Other TVIEWs wait "
                       "for the batch that does it.")));
  });
}

absl::StatusOr<bool> ReadsUnpopulated(const std::string& table, const Analysis& analysis) {
  for (const SourceLineage& source : analysis.sources) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_unpopulated, IsUnpopulated(source.source));
    if (!is_unpopulated) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(source.source));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(NOTICE,
              (errmsg("TVIEW \"%s\" is filled when the transaction has committed", table.c_str()),
               errdetail("It reads TVIEW \"%s\", which has not been populated.", name.c_str())));
    }));
    return true;
  }
  return false;
}

absl::Status CheckPopulated(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(bool is_unpopulated, IsUnpopulated(tview));
  if (!is_unpopulated) return absl::OkStatus();
  // The last slice may have been committed a moment ago.
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { AcceptInvalidationMessages(); }));
  TVIEWS_ASSIGN_OR_RETURN(is_unpopulated, IsUnpopulated(tview));
  if (!is_unpopulated) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::string progress, ProgressText(tview));
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "TVIEW \"" + name + "\" has not been populated",
                        .detail = progress,
                        .hint = "pg_tviews_progress shows how far its fill is; pg_tviews_refresh() "
                                "completes it at once.",
                        .sqlstate = "55000"});
}

absl::Status CheckReadsPopulatedOnly(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  for (const RelationId source : facts.dependencies) {
    TVIEWS_RETURN_IF_ERROR(CheckPopulated(source));
  }
  return absl::OkStatus();
}

absl::Status CheckSourcesPopulated(RelationId tview, const Analysis& analysis) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_unpopulated, IsUnpopulated(tview));
  if (is_unpopulated) return absl::OkStatus();
  for (const SourceLineage& source : analysis.sources) {
    TVIEWS_RETURN_IF_ERROR(CheckPopulated(source.source));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
