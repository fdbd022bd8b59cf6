#include "backend/tview/lanes.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/tview/facts.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/stored_lineage.h"
#include "shared/lane.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/pg_class.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/fmgrprotos.h>
#include <utils/lsyscache.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kLaneOf[] = "coalesce(m.options ->> 'lane', 'main')";

absl::Status InvalidValue(const char* name, const std::string& text, const char* hint) {
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = absl::StrCat("invalid value for parameter \"pg_tviews.", name,
                                                "\": \"", text, "\""),
                        .hint = hint});
}

std::string AsArray(const std::vector<RelationId>& relations) {
  return absl::StrCat("{", absl::StrJoin(relations, ","), "}");
}

// The first TVIEW of a lane is counted alone: two transactions would not see each other's.
absl::Status LockIfNew(RelationId tview, const std::string& meta) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat("SELECT FROM ", meta, " AS m WHERE m.tview = $1::oid AND ", kLaneOf,
                       " <> 'main' AND NOT EXISTS (SELECT FROM ", meta,
                       " AS o WHERE o.tview <> m.tview AND coalesce(o.options ->> 'lane', 'main') ="
                       " m.options ->> 'lane')"),
          {absl::StrCat(tview)}));
  if (found.processed == 0) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, pg::CatalogTableId(pg::CatalogTable::kFrontier));
  return pg::Call([table] { LockDatabaseObject(RelationRelationId, table, 0, ExclusiveLock); });
}

absl::Status CheckLaneCount(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_RETURN_IF_ERROR(LockIfNew(tview, meta));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(absl::StrCat("SELECT count(DISTINCT ", kLaneOf, ") FROM ", meta,
                                        " AS m WHERE ", kLaneOf, " <> 'main'")));
  pg::RowReader column(found.rows.front());
  const int lanes = column.Number<int>();
  TVIEWS_RETURN_IF_ERROR(column.End());
  if (lanes <= pg::settings::max_lanes) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kResourceExhausted,
      {.message = absl::StrCat("TVIEWs of this database would be in ", lanes,
                               " lanes besides the main one"),
       .detail = absl::StrCat("There may be ", pg::settings::max_lanes, " (pg_tviews.max_lanes)."),
       .hint = "Put it into a lane that there is, or raise pg_tviews.max_lanes and restart.",
       .sqlstate = "53400"});
}

// TVIEWs that hang together with `tview`, itself included, ascending.
absl::StatusOr<std::vector<RelationId>> HangTogether(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "WITH RECURSIVE pairs AS (SELECT l.tview::oid AS a, l.source::oid AS b FROM ",
              lineage, " AS l JOIN ", meta,
              " AS m ON m.tview = l.source), together (id) AS (SELECT $1::oid UNION"
              " SELECT CASE WHEN p.a = t.id THEN p.b ELSE p.a END"
              " FROM together AS t JOIN pairs AS p ON t.id IN (p.a, p.b))"
              " SELECT id FROM together ORDER BY 1"),
          {absl::StrCat(tview)}));
  return RelationIds(found);
}

absl::Status CheckOwnsAll(const std::vector<RelationId>& tviews) {
  return pg::Call([&] {
    for (const RelationId tview : tviews) {
      if (!pg::compat::OwnsRelation(tview, GetUserId())) {
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(tview));
      }
    }
  });
}

// Against batches, which lock what they write, and against DDL. What hangs together may be more
// when the locks are there.
absl::StatusOr<std::vector<RelationId>> LockTogether(RelationId tview) {
  std::vector<RelationId> locked;
  for (;;) {
    std::vector<RelationId> tviews;
    {
      TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
      TVIEWS_ASSIGN_OR_RETURN(tviews, HangTogether(tview));
    }
    if (tviews == locked) return locked;
    TVIEWS_RETURN_IF_ERROR(CheckOwnsAll(tviews));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      for (const RelationId each : tviews) LockRelationOid(each, ShareRowExclusiveLock);
    }));
    locked = std::move(tviews);
  }
}

// As after a creation: filled at the frontier of the lane that it leaves, by this transaction.
absl::Status BeginAnew(const std::vector<RelationId>& tviews) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string frontier, ExtensionObject("pg_tview_frontier"));
  return pg::ExecuteSqlLatest(
             absl::StrCat("UPDATE ", meta,
                          " AS m SET fill_creator = pg_current_xact_id(),"
                          " fill_snapshot = coalesce(m.fill_snapshot, (SELECT f.snapshot FROM ",
                          frontier, " AS f WHERE f.lane = ", kLaneOf,
                          "), pg_current_snapshot()) WHERE m.tview = ANY ($1::oid[])"),
             {AsArray(tviews)})
      .status();
}

absl::StatusOr<std::string> NamesOf(const std::vector<RelationId>& tviews) {
  std::vector<std::string> names;
  for (const RelationId tview : tviews) {
    TVIEWS_ASSIGN_OR_RETURN(names.emplace_back(), RelationDisplayName(tview));
  }
  return absl::StrJoin(names, ", ");
}

absl::Status TellOfOthers(RelationId tview, std::vector<RelationId> moved) {
  std::erase(moved, tview);
  if (moved.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string names, NamesOf(moved));
  return pg::Call([&] {
    ereport(NOTICE, (errmsg("TVIEWs that read each other are in one lane: this moves %s too",
                            names.c_str())));
  });
}

}  // namespace

absl::StatusOr<std::string> LaneAsJson(const std::string& text) {
  // What SET (pg_tviews.lane = NULL) and SET (pg_tviews.lane) come to.
  if (text == "null" || text == "true" || text == "default") {
    return InvalidValue("lane", text,
                        "RESET (pg_tviews.lane) and 'main' mean the main lane; another needs "
                        "another name.");
  }
  if (IsLaneName(text)) return absl::StrCat("\"lane\": \"", text, "\"");
  return InvalidValue("lane", text,
                      "It is a name of lower-case letters, digits and underscores, of at most 63 "
                      "characters.");
}

absl::StatusOr<std::string> LagTargetAsJson(const std::string& text) {
  const absl::StatusOr<Interval*> read = pg::CallFor([&] {
    return DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(text.c_str()),
                                                 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
  if (!read.ok() && !pg::HasSqlState(read.status(), "22")) return read.status();
  const Interval* const interval = read.ok() ? *read : nullptr;
  const bool is_possible = interval != nullptr && interval->month == 0 && interval->day == 0 &&
                           interval->time >= 0 && interval->time <= USECS_PER_HOUR;
  if (is_possible) return absl::StrCat("\"lag_target\": ", (interval->time + 999) / 1000);
  return InvalidValue("lag_target", text,
                      "It is an interval of at most an hour, such as '5 s', or 0 for none.");
}

absl::Status InheritLane(const std::vector<RelationId>& sources, std::string* options) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(absl::StrCat("SELECT ", kLaneOf, " FROM ", meta,
                                        " AS m WHERE m.tview = ANY ($1::oid[])"
                                        " AND NOT $2::jsonb ? 'lane' AND ",
                                        kLaneOf, " <> 'main' ORDER BY 1 LIMIT 1"),
                           {AsArray(sources), "{" + *options + "}"}));
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    TVIEWS_ASSIGN_OR_RETURN(const std::string member, LaneAsJson(column.Text()));
    TVIEWS_RETURN_IF_ERROR(column.End());
    absl::StrAppend(options, options->empty() ? "" : ", ", member);
  }
  return absl::OkStatus();
}

absl::Status TellOfSharedTarget(RelationId tview) {
  if (!pg::settings::notice_lineage) return absl::OkStatus();
  bool is_shared = false;
  bool counts = false;
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
    TVIEWS_ASSIGN_OR_RETURN(const std::string targets, ExtensionObject("pg_tviews_lane_targets"));
    TVIEWS_ASSIGN_OR_RETURN(
        const pg::SqlResult found,
        pg::ExecuteSqlLatest(absl::StrCat("SELECT EXISTS (SELECT FROM ", targets,
                                          " WHERE lane = 'main' AND lag_target IS NOT NULL) FROM ",
                                          meta, " AS t, ", meta,
                                          " AS m WHERE t.tview = $1::oid AND m.tview <> t.tview"
                                          " AND (t.options ->> 'lag_target')::bigint > 0"
                                          " AND coalesce(t.options ->> 'lane', 'main') = 'main'"
                                          " AND ",
                                          kLaneOf, " = 'main' LIMIT 1"),
                             {std::to_string(tview)}));
    is_shared = !found.rows.empty();
    if (is_shared) {
      pg::RowReader column(found.rows[0]);
      counts = column.IsTrue();
      TVIEWS_RETURN_IF_ERROR(column.End());
    }
  }
  if (!is_shared) return absl::OkStatus();
  return pg::Call([counts] {
    ereport(NOTICE,
            (counts ? errmsg("the lag target holds for all TVIEWs of lane \"main\"")
                    : errmsg("the lag target does not count in lane \"main\", where other owners' "
                             "TVIEWs have none"),
             errhint("A lane of its own, as in ALTER TABLE ... SET (pg_tviews.lane = 'reports'), "
                     "leaves the others as quick as they were.")));
  });
}

absl::Status CheckLane(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  const std::string lanes =
      absl::StrCat("(SELECT m.tview, ", kLaneOf, " AS lane, m.options FROM ", meta, " AS m)");
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult apart,
      pg::ExecuteSqlLatest(
          absl::StrCat("SELECT r.tview::text, r.lane, s.tview::text, s.lane FROM ", lineage,
                       " AS l JOIN ", lanes, " AS r ON r.tview = l.tview JOIN ", lanes,
                       " AS s ON s.tview = l.source WHERE $1::oid IN (l.tview::oid, l.source::oid)"
                       " AND r.lane <> s.lane ORDER BY 1, 3 LIMIT 1"),
          {absl::StrCat(tview)}));
  for (const pg::SqlRow& row : apart.rows) {
    pg::RowReader column(row);
    const std::string reader = column.Text();
    const std::string lane_of_reader = column.Text();
    const std::string source = column.Text();
    const std::string lane_of_source = column.Text();
    TVIEWS_RETURN_IF_ERROR(column.End());
    return pg::MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.message = absl::StrCat("TVIEW \"", reader, "\" and TVIEW \"", source,
                                 "\", which it reads, have to be in one lane"),
         .detail = absl::StrCat("\"", reader, "\" would be in lane \"", lane_of_reader, "\", \"",
                                source, "\" is in lane \"", lane_of_source, "\"."),
         .hint = absl::StrCat("Leave pg_tviews.lane away, or move both: ALTER TABLE ", source,
                              " SET (pg_tviews.lane = '", lane_of_reader, "').")});
  }
  return CheckLaneCount(tview);
}

absl::Status MoveToLane(RelationId tview, const std::string& lane) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
  if (state.has_value() && state->lane == lane) return CheckLane(tview);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> tviews, LockTogether(tview));
  TVIEWS_RETURN_IF_ERROR(TellOfOthers(tview, tviews));
  TVIEWS_RETURN_IF_ERROR(BeginAnew(tviews));
  TVIEWS_ASSIGN_OR_RETURN(const std::string member, LaneAsJson(lane));
  for (const RelationId each : tviews) {
    TVIEWS_RETURN_IF_ERROR(ChangeOptions(each, "{" + member + "}", "{}"));
    TVIEWS_RETURN_IF_ERROR(NoteTview(each));
  }
  for (const RelationId each : tviews) TVIEWS_RETURN_IF_ERROR(CheckLane(each));
  return absl::OkStatus();
}

}  // namespace tviews::backend
