#include "backend/tview/group_states.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backend/tview/facts.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/planner/group_level.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <catalog/pg_class.h>
#include <catalog/pg_statistic.h>
#include <nodes/bitmapset.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <parser/analyze.h>
#include <parser/parser.h>
#include <rewrite/rewriteHandler.h>
#include <utils/elog.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Rows of the largest group, from which on it pays to keep its sums.
constexpr double kLargeGroup = 1000;

struct Source {
  RelationId relation = 0;
  std::vector<AttributeNumber> columns;
};

struct Column {
  RelationId relation = 0;
  AttributeNumber attribute = 0;
};

struct Level {
  std::vector<Source> sources;
  // By which rows are added up: columns that are equal in each row.
  std::vector<std::vector<Column>> keys;
  TypeId key_type = 0;
  int sums = 0;
  int extremes = 0;
  std::string name;
  std::string spec;
  std::string body;
  std::string places;
  std::string merged;
  std::string renewed;
  std::string added;
  std::string valued;
  std::string counted;
};

// The statement that refresh plans, with its views expanded. Inside a Call.
Query* ExpandedQuery(const char* sql) {
  List* const statements = raw_parser(sql, RAW_PARSE_DEFAULT);
  Query* const query =
      parse_analyze_fixedparams(linitial_node(RawStmt, statements), sql, nullptr, 0, nullptr);
  return linitial_node(Query, QueryRewrite(query));
}

Source CopyOf(const pg::GroupSource& found) {
  Source source{.relation = found.relation, .columns = {}};
  for (int i = -1; (i = bms_next_member(found.columns, i)) >= 0;) {
    source.columns.push_back(static_cast<AttributeNumber>(i));
  }
  return source;
}

Column ColumnOf(const pg::GroupLevel& level, const Var* var) {
  for (int i = 0; i < list_length(level.sources); ++i) {
    const auto* const source = static_cast<pg::GroupSource*>(list_nth(level.sources, i));
    if (source->entry == static_cast<int>(var->varno)) return {source->relation, var->varattno};
  }
  return {};
}

// An expression is as many keys as it has columns. What depends on the others makes no more groups.
void AddKey(const pg::GroupLevel& level, const pg::GroupKey& key,
            std::vector<std::vector<Column>>* keys) {
  if (key.depends) return;
  for (int i = 0; i < list_length(key.columns); ++i) {
    if (i == 0 || !IsA(key.expr, Var)) keys->emplace_back();
    keys->back().push_back(ColumnOf(level, static_cast<Var*>(list_nth(key.columns, i))));
  }
}

Level CopyOf(const pg::GroupLevel& found) {
  Level level{.sources = {},
              .keys = {},
              .key_type = found.key_type,
              .sums = found.sums,
              .extremes = found.extremes,
              .name = found.name,
              .spec = found.spec,
              .body = found.body,
              .places = found.places,
              .merged = found.merged,
              .renewed = found.renewed,
              .added = found.added,
              .valued = found.valued,
              .counted = found.counted};
  for (int i = 0; i < list_length(found.sources); ++i) {
    level.sources.push_back(CopyOf(*static_cast<pg::GroupSource*>(list_nth(found.sources, i))));
  }
  for (int i = 0; i < list_length(found.keys); ++i) {
    AddKey(found, *static_cast<pg::GroupKey*>(list_nth(found.keys, i)), &level.keys);
  }
  return level;
}

absl::StatusOr<std::vector<Level>> FindLevels(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  const std::string sql = "SELECT * FROM " + tview.view;
  TVIEWS_ASSIGN_OR_RETURN(List* const found, pg::CallFor([&] {
                            return pg::FindGroupLevels(ExpandedQuery(sql.c_str()));
                          }));
  std::vector<Level> levels;
  for (int i = 0; i < list_length(found); ++i) {
    levels.push_back(CopyOf(*static_cast<pg::GroupLevel*>(list_nth(found, i))));
  }
  return levels;
}

// A table whose rows are all its own, and which triggers watch.
absl::StatusOr<bool> IsPlainTable(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (is_tview) return false;
  return pg::CallFor([relation] {
    HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) return false;
    const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    const bool is_plain = form->relkind == RELKIND_RELATION && !form->relhassubclass &&
                          !form->relispartition && form->relpersistence == RELPERSISTENCE_PERMANENT;
    ReleaseSysCache(tuple);
    return is_plain;
  });
}

double RowsOf(Oid relation) {
  HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return 0;
  const double rows = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->reltuples;
  ReleaseSysCache(tuple);
  return rows;
}

// What part of the rows the most common value of a column has, as far as is known. Inside a Call.
double LargestPart(Oid relation, AttrNumber column, double rows) {
  HeapTuple const tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation),
                                          Int16GetDatum(column), BoolGetDatum(false));
  if (!HeapTupleIsValid(tuple)) return 0;
  const double distinct = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(tuple))->stadistinct;
  double part = 0;
  if (distinct > 0) part = 1 / distinct;
  if (distinct < 0 && rows > 0) part = 1 / (-distinct * rows);
  AttStatsSlot slot;
  if (get_attstatsslot(&slot, tuple, STATISTIC_KIND_MCV, InvalidOid, ATTSTATSSLOT_NUMBERS)) {
    if (slot.nnumbers > 0) part = std::max(part, static_cast<double>(slot.numbers[0]));
    free_attstatsslot(&slot);
  }
  ReleaseSysCache(tuple);
  return part;
}

// As if columns had nothing to do with each other, and expressions were the columns that they use.
// A join has as many rows as its largest table.
absl::StatusOr<double> LargestGroup(const Level& level) {
  return pg::CallFor([&] {
    double rows = 0;
    double part = 1;
    for (const Source& source : level.sources) rows = std::max(rows, RowsOf(source.relation));
    for (const std::vector<Column>& key : level.keys) {
      double largest = 0;
      for (const Column& column : key) {
        const double of_table = RowsOf(column.relation);
        largest = std::max(largest, LargestPart(column.relation, column.attribute, of_table));
      }
      part *= largest;
    }
    return rows * part;
  });
}

absl::StatusOr<bool> ArePlainTables(const Level& level) {
  for (const Source& source : level.sources) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_plain, IsPlainTable(source.relation));
    if (!is_plain) return false;
  }
  return true;
}

absl::StatusOr<std::string> OptionOf(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT CASE WHEN options.value ->> 'lane' <> 'main' THEN 'off' ELSE"
                           " coalesce(options.value ->> 'group_state', 'auto') END"
                           " FROM (SELECT $1::pg_catalog.jsonb) AS options (value)",
                           {"{" + tview.options + "}"}));
  return found.rows.at(0).at(0).value_or("auto");
}

bool HaveSameRows(const Level& level, const Level& other) {
  return level.body == other.body &&
         std::equal(level.sources.begin(), level.sources.end(), other.sources.begin(),
                    other.sources.end(), [](const Source& one, const Source& another) {
                      return one.relation == another.relation && one.columns == another.columns;
                    });
}

absl::StatusOr<std::vector<Level>> ChooseLevels(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string option, OptionOf(tview));
  std::vector<Level> chosen;
  if (option == "off") return chosen;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Level> levels, FindLevels(tview));
  for (const Level& level : levels) {
    TVIEWS_ASSIGN_OR_RETURN(bool is_chosen, ArePlainTables(level));
    if (is_chosen && option != "on") {
      TVIEWS_ASSIGN_OR_RETURN(const double largest, LargestGroup(level));
      is_chosen = largest >= kLargeGroup;
    }
    const bool is_known = std::any_of(chosen.begin(), chosen.end(), [&](const Level& other) {
      return HaveSameRows(level, other);
    });
    if (is_chosen && !is_known) chosen.push_back(level);
  }
  return chosen;
}

// What of a level is written, as texts: what has other texts is another state.
pg::SqlRow TextsOf(const Level& level) {
  return {level.name,
          absl::StrCat(level.key_type),
          absl::StrCat(level.sums),
          absl::StrCat(level.extremes),
          level.spec,
          level.body,
          level.places,
          level.merged,
          level.renewed,
          level.added,
          level.valued,
          level.counted};
}

std::string SourcesText(const Level& level) {
  return absl::StrJoin(level.sources, ";", [](std::string* text, const Source& source) {
    absl::StrAppend(text, source.relation, ":", absl::StrJoin(source.columns, ","));
  });
}

struct Stored {
  std::string id;
  std::string sources;
  pg::SqlRow texts;
};

absl::StatusOr<std::vector<Stored>> ReadStored(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT s.id, (SELECT string_agg(t.source::oid || ':' || array_to_string(t.columns, ','),"
          " ';' ORDER BY t.place) FROM tviews_internal.pg_tview_group_source AS t WHERE t.state ="
          " s.id), s.level, s.key_type::oid, s.sums, s.extremes, s.spec, s.body, s.places, "
          "s.merged,"
          " s.renewed, s.added, s.valued, s.counted FROM tviews_internal.pg_tview_group_state AS s "
          "WHERE s.tview = $1::oid",
          {absl::StrCat(tview)}));
  std::vector<Stored> stored;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    Stored state;
    state.id = column.Text();
    state.sources = column.TextOrNothing();
    state.texts.assign(row.begin() + static_cast<std::ptrdiff_t>(column.position()), row.end());
    column.Skip(state.texts.size());
    TVIEWS_RETURN_IF_ERROR(column.End());
    stored.push_back(std::move(state));
  }
  return stored;
}

absl::Status Insert(RelationId tview, const Level& level) {
  pg::SqlParameters parameters = {absl::StrCat(tview), absl::StrCat(level.sources[0].relation)};
  for (const pg::SqlValue& text : TextsOf(level)) parameters.push_back(text);
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult inserted,
      pg::ExecuteSqlLatest(
          "INSERT INTO tviews_internal.pg_tview_group_state (tview, source, level, key_type, sums,"
          " extremes, spec, body, places, merged, renewed, added, valued, counted) VALUES "
          "($1::oid, $2::oid, $3, $4::oid,"
          " $5::smallint, $6::smallint, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id",
          parameters));
  for (std::size_t place = 0; place < level.sources.size(); ++place) {
    const Source& source = level.sources[place];
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSqlLatest(
            "INSERT INTO tviews_internal.pg_tview_group_source (state, source,"
            " place, columns) VALUES ($1::integer, $2::oid, $3::smallint,"
            " $4::smallint[])",
            {inserted.rows.at(0).at(0), absl::StrCat(source.relation), absl::StrCat(place),
             absl::StrCat("{", absl::StrJoin(source.columns, ","), "}")})
            .status());
  }
  return absl::OkStatus();
}

bool IsSame(const Level& level, const Stored& state) {
  return SourcesText(level) == state.sources && TextsOf(level) == state.texts;
}

absl::StatusOr<bool> HaveStates() { return pg::HasCatalogTable(pg::CatalogTable::kGroupState); }

}  // namespace

absl::StatusOr<std::vector<std::string>> SyncGroupStates(RelationId tview) {
  std::vector<std::string> names;
  TVIEWS_ASSIGN_OR_RETURN(const bool have_states, HaveStates());
  if (!have_states) return names;
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Level> wanted, ChooseLevels(facts));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Stored> stored, ReadStored(tview));
  bool has_changed = false;
  for (const Stored& state : stored) {
    if (std::any_of(wanted.begin(), wanted.end(),
                    [&](const Level& level) { return IsSame(level, state); })) {
      continue;
    }
    has_changed = true;
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSqlLatest("WITH gone AS (DELETE FROM tviews_internal.pg_tview_group_state WHERE"
                             " id = $1::integer RETURNING id) DELETE FROM"
                             " tviews_internal.pg_tview_group_source WHERE state IN (SELECT id FROM"
                             " gone)",
                             {state.id})
            .status());
  }
  for (const Level& level : wanted) {
    names.push_back(level.name);
    if (std::any_of(stored.begin(), stored.end(),
                    [&](const Stored& state) { return IsSame(level, state); })) {
      continue;
    }
    has_changed = true;
    TVIEWS_RETURN_IF_ERROR(Insert(tview, level));
  }
  if (has_changed) TVIEWS_RETURN_IF_ERROR(NoteMetadataChange());
  return names;
}

absl::Status ChooseGroupStates(RelationId tview, const std::string& table) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<std::string> names, SyncGroupStates(tview));
  if (!pg::settings::notice_lineage) return absl::OkStatus();
  for (const std::string& name : names) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      ereport(NOTICE, (errmsg("TVIEW \"%s\" keeps the aggregation of %s by delta", table.c_str(),
                              name.c_str()),
                       errdetail("A change costs what it changes, however large the group is.")));
    }));
  }
  return absl::OkStatus();
}

struct PlannedStates::State {
  std::string body;
  std::vector<RelationId> sources;
};

PlannedStates::PlannedStates() = default;
PlannedStates::~PlannedStates() = default;
PlannedStates::PlannedStates(PlannedStates&&) noexcept = default;

absl::StatusOr<PlannedStates> PlannedStates::Choose(const TviewFacts& tview) {
  PlannedStates planned;
  TVIEWS_ASSIGN_OR_RETURN(const bool have_states, HaveStates());
  if (!have_states) return planned;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Level> levels, ChooseLevels(tview));
  for (const Level& level : levels) {
    State& state = planned.states_.emplace_back();
    state.body = level.body;
    for (const Source& source : level.sources) state.sources.push_back(source.relation);
  }
  return planned;
}

std::vector<pg::UsableState> PlannedStates::Usable() const {
  std::vector<pg::UsableState> usable;
  for (const State& state : states_) {
    usable.push_back({.sources = state.sources.data(),
                      .source_count = static_cast<int>(state.sources.size()),
                      .body = state.body.c_str(),
                      .id = 0});
  }
  return usable;
}

absl::StatusOr<std::vector<GroupStateSuggestion>> SuggestGroupStates(RelationId tview) {
  std::vector<GroupStateSuggestion> suggestions;
  TVIEWS_ASSIGN_OR_RETURN(const bool have_states, HaveStates());
  if (!have_states) return suggestions;
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  const absl::StatusOr<std::string> option = OptionOf(facts);
  TVIEWS_RETURN_IF_ERROR(option.status());
  if (*option != "auto") return suggestions;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Level> wanted, ChooseLevels(facts));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Stored> stored, ReadStored(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(tview));
  for (const Level& level : wanted) {
    if (std::any_of(stored.begin(), stored.end(),
                    [&](const Stored& state) { return IsSame(level, state); })) {
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const double largest, LargestGroup(level));
    suggestions.push_back(
        {.statement = "ALTER TABLE " + table + " SET (pg_tviews.group_state = auto)",
         .reason =
             absl::StrFormat("the aggregation of %s is computed anew from about %.0f rows where"
                             " one of them changes",
                             level.name, largest)});
  }
  return suggestions;
}

absl::Status RemoveGroupStates(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const bool have_states, HaveStates());
  if (!have_states) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  return pg::ExecuteSqlLatest(
             "WITH gone AS (DELETE FROM tviews_internal.pg_tview_group_state WHERE tview = $1::oid"
             " RETURNING id) DELETE FROM tviews_internal.pg_tview_group_source WHERE state IN"
             " (SELECT id FROM gone)",
             {absl::StrCat(tview)})
      .status();
}

}  // namespace tviews::backend
