#include "worker/refresh/group_statements.h"

#include "absl/strings/str_cat.h"
#include "shared/pg/planner/group_level.h"

namespace tviews::worker {
namespace {

std::string Current(const GroupTable& table) {
  std::string columns;
  for (const auto& [attribute, name] : table.columns) absl::StrAppend(&columns, name, ", ");
  return absl::StrCat("SELECT ", columns, "1::bigint AS ", pg::kWeightName, " FROM ONLY ",
                      table.name);
}

// `weight`: of an image.
std::string Images(const GroupTable& table, std::size_t place, const char* weight) {
  std::string columns;
  for (const auto& [attribute, name] : table.columns) {
    absl::StrAppend(&columns, "c", attribute, " AS ", name, ", ");
  }
  return absl::StrCat("SELECT ", columns, weight, " AS ", pg::kWeightName, " FROM ",
                      GroupImagesName(place));
}

std::string RowsAs(const GroupTable& table, std::size_t place, JoinedAs as) {
  if (as == JoinedAs::kChange) return Images(table, place, "w");
  if (as == JoinedAs::kAfter) return Current(table);
  return absl::StrCat(Current(table), " UNION ALL ", Images(table, place, "-w"));
}

// Where a statement reads them more than once, each place wants to be planned by itself.
std::string NamedRows(const WrittenState& state, const JoinStep& step) {
  std::string text = "WITH ";
  for (std::size_t place = 0; place < state.tables.size(); ++place) {
    absl::StrAppend(&text, place == 0 ? "" : ", ", pg::kGroupRows[place], " AS NOT MATERIALIZED (",
                    RowsAs(state.tables[place], place, step[place]), ")");
  }
  return text;
}

JoinStep AllAfter(const WrittenState& state) {
  return JoinStep(state.tables.size(), JoinedAs::kAfter);
}

std::string Inserting(const WrittenState& state, const std::string& rows) {
  return absl::StrCat("INSERT INTO ", state.rows, " AS s (state, k, c, n, p, m", state.texts.places,
                      ") SELECT ", state.id, ", r.* FROM (", rows, ") AS r");
}

// Of rows v.
std::string InsertingValues(const WrittenState& state) {
  return absl::StrCat("INSERT INTO ", state.rows, " AS s (state, k, c, n, p) SELECT ", -state.id,
                      ", v.k || ARRAY[v.place::text, v.v], '{}', v.n, '{}' FROM ");
}

// The sums of a row that is there with those of one that is added.
std::string AddedSums(int sums) {
  if (sums == 0) return "s.p";
  std::string text = "ARRAY[";
  for (int i = 1; i <= sums; ++i) {
    absl::StrAppend(&text, i == 1 ? "" : ", ", "s.p[", i, "] + excluded.p[", i, "]");
  }
  return text + "]";
}

std::string HasDoubtfulExtreme(int extremes) {
  std::string text = "false";
  for (int i = 1; i <= extremes; ++i) absl::StrAppend(&text, " OR m[", 2 * i, "] IS NOT NULL");
  return text;
}

// m of a row of which nothing is known, or nothing that goes.
std::string ExtremesOfStep(int count, StepExtremes extremes) {
  std::string text = "ARRAY[";
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ");
    if (extremes == StepExtremes::kDoubtful) {
      absl::StrAppend(&text, "NULL, '?'");
    } else {
      absl::StrAppend(&text, "m[", 2 * i + 1, "], NULL");
    }
  }
  return text + "]::text[]";
}

}  // namespace

std::string GroupImagesName(std::size_t place) {
  return absl::StrCat("pg_tviews_images_", place + 1);
}

std::string BuildingStatement(const WrittenState& state) {
  return absl::StrCat(NamedRows(state, AllAfter(state)), " ", Inserting(state, state.texts.body),
                      " WHERE r.n <> 0");
}

std::string ValuesBuildingStatement(const WrittenState& state) {
  return absl::StrCat(NamedRows(state, AllAfter(state)), " ", InsertingValues(state), "(",
                      state.texts.valued, ") AS v");
}

std::string AddingStatement(const WrittenState& state, const JoinStep& step,
                            StepExtremes extremes) {
  std::string added = state.texts.added;
  std::string merged = state.texts.merged.empty() ? "" : absl::StrCat(", m = ", state.texts.merged);
  if (extremes != StepExtremes::kRight && state.extremes > 0) {
    added = absl::StrCat("SELECT k, c, n, p, ", ExtremesOfStep(state.extremes, extremes), " AS m",
                         state.texts.places, " FROM (", added, ") AS step");
    if (extremes == StepExtremes::kDoubtful) merged = ", m = excluded.m";
  }
  return absl::StrCat(
      NamedRows(state, step), ", written AS (", Inserting(state, added),
      " ON CONFLICT (state, k, c) DO UPDATE SET n = s.n + excluded.n, p = ", AddedSums(state.sums),
      merged,
      " RETURNING s.ctid AS place, s.n, s.p, s.m) SELECT COALESCE(bool_or(n < 0 OR n = 0 AND NOT (0"
      " = ALL (p))), false), array_agg(place) FILTER (WHERE n = 0), array_agg(place) FILTER (WHERE"
      " n <> 0 AND (",
      HasDoubtfulExtreme(state.extremes), ")) FROM written");
}

// A value that was not there, or is not there any more, counts.
std::string ValuesAddingStatement(const WrittenState& state, const JoinStep& step) {
  return absl::StrCat(
      NamedRows(state, step), ", changes AS MATERIALIZED (SELECT * FROM (", state.texts.valued,
      ") AS v WHERE v.n <> 0), written AS (", InsertingValues(state),
      "changes AS v ON CONFLICT (state, k, c) DO UPDATE SET n = s.n + excluded.n RETURNING s.ctid "
      "AS"
      " place, s.k, s.n), ",
      pg::kCountedValues,
      " AS (SELECT v.*, (w.n > 0)::integer - (w.n > v.n)::integer AS d FROM changes AS v JOIN "
      "written"
      " AS w ON w.k = v.k || ARRAY[v.place::text, v.v] WHERE (w.n > 0) <> (w.n > v.n)), counts AS "
      "(",
      Inserting(state, state.texts.counted),
      " ON CONFLICT (state, k, c) DO UPDATE SET n = s.n + excluded.n, p = ", AddedSums(state.sums),
      " RETURNING s.ctid AS place, s.n, s.p), every AS (SELECT place, n, false AS is_wrong FROM"
      " written UNION ALL SELECT place, n, n = 0 AND NOT (0 = ALL (p)) OR 0 > ANY (p) FROM counts)"
      " SELECT COALESCE(bool_or(n < 0 OR is_wrong), false), array_agg(place) FILTER (WHERE n = 0),"
      " NULL::tid[] FROM every");
}

std::string RenewingStatement(const WrittenState& state) {
  return absl::StrCat(NamedRows(state, AllAfter(state)), " UPDATE ", state.rows,
                      " AS s SET m = ", state.texts.renewed, " WHERE s.ctid = ANY ($1)");
}

}  // namespace tviews::worker
