#include "shared/group_comparison.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace tviews {
namespace {

// A slice ends with the group with which it has so many rows of the source, or so many rows itself.
constexpr int kSourceRows = 20000;
constexpr int kStateRows = 1000;

// The key of `alias`, whose order is that of the state's table.
std::string Key(const ComparedState& state, const std::string& alias) {
  return absl::StrCat(alias, ".k", state.key_type == "text" ? " COLLATE \"default\"" : "");
}

std::string Parameter(const ComparedState& state, int number) {
  return absl::StrCat("$", number, "::", state.key_type);
}

std::string InSlice(const ComparedState& state, GroupSlice slice, const std::string& alias) {
  const std::string key = Key(state, alias);
  std::string text;
  if (slice.has_begin) absl::StrAppend(&text, " AND ", key, " > ", Parameter(state, 1));
  if (!slice.has_end) return text;
  const std::string upto = absl::StrCat(key, " <= ", Parameter(state, slice.has_begin ? 2 : 1));
  return slice.has_begin ? absl::StrCat(text, " AND ", upto)
                         : absl::StrCat(" AND (", alias, ".k IS NULL OR ", upto, ")");
}

// The rows of the tables, as the queries name them.
std::string NamedRows(const ComparedState& state) {
  std::string text = "WITH ";
  for (std::size_t i = 0; i < state.sources.size(); ++i) {
    absl::StrAppend(&text, "pg_tviews_rows", i == 0 ? "" : absl::StrCat("_", i + 1),
                    " AS NOT MATERIALIZED (SELECT *, 1::bigint AS pg_tviews_weight FROM ONLY ",
                    state.sources[i], "), ");
  }
  return text;
}

// Further rows of both sides: the distinct values that are counted.
std::string Values(const ComparedState& state) {
  if (state.valued.empty()) return "";
  return absl::StrCat(" UNION ALL SELECT true, s.k, s.c, s.n, s.p::text, s.m, '' FROM ", state.rows,
                      " AS s WHERE s.state = ", -state.id,
                      " UNION ALL SELECT false, v.k || ARRAY[v.place::text, v.v], '{}', v.n, '{}',"
                      " '{}', '' FROM (",
                      state.valued, ") AS v WHERE v.n <> 0");
}

}  // namespace

bool HasSlices(const ComparedState& state) { return state.key_type != "text[]"; }

std::string SliceEnd(const ComparedState& state, bool has_begin) {
  return absl::StrCat(
      "SELECT k::text FROM (SELECT k, sum(n) OVER (ORDER BY k, c) - n AS rows_before FROM (SELECT"
      " s.k, s.c, s.n FROM ",
      state.rows, " AS s WHERE s.state = ", state.id,
      has_begin ? absl::StrCat(" AND s.k > ", Parameter(state, 1)) : "",
      " ORDER BY s.k, s.c LIMIT ", kStateRows,
      ") AS next) AS counted WHERE k IS NOT NULL AND"
      " (rows_before < ",
      kSourceRows, ") ORDER BY k DESC LIMIT 1");
}

std::string GroupDifferences(const ComparedState& state, GroupSlice slice) {
  const char* const row =
      "jsonb_build_object('classes', c, 'rows', n, 'sums', p::numeric[]) || CASE m WHEN '{}' THEN"
      " '{}' ELSE jsonb_build_object('extremes', m) END";
  // The key once more, by which queries find the group.
  const std::string places = absl::StrCat("ROW(0", state.places, ")::text");
  return absl::StrCat(
      NamedRows(state), "both_sides (is_stored, k, c, n, p, m, places) AS (SELECT true, ",
      Key(state, "s"), ", s.c, s.n, s.p::text, s.m, ", places, " FROM ", state.rows,
      " AS s WHERE s.state = ", state.id, InSlice(state, slice, "s"), " UNION ALL SELECT false, ",
      Key(state, "r"), ", r.c, r.n, r.p::text, r.m, ", places, " FROM (", state.spec,
      ") AS r WHERE r.n <> 0", InSlice(state, slice, "r"), Values(state),
      "), other AS (SELECT k, c, n, p, m, count(*) FILTER (WHERE is_stored) > count(*) FILTER"
      " (WHERE NOT is_stored) AS is_stored FROM both_sides GROUP BY k, c, n, p, m, places HAVING"
      " count(*) FILTER (WHERE is_stored) <> count(*) FILTER (WHERE NOT is_stored)) SELECT k::text,"
      " jsonb_agg(",
      row, " ORDER BY c, n) FILTER (WHERE is_stored), jsonb_agg(", row,
      " ORDER BY c, n) FILTER (WHERE NOT is_stored) FROM other GROUP BY other.k ORDER BY other.k");
}

}  // namespace tviews
