#include "backend/tview/metadata.h"
#include "backend/tview/group_states.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_join.h"
#include "backend/capture/transaction.h"
#include "backend/tview/comments.h"
#include "backend/tview/facts.h"
#include "backend/tview/label.h"
#include "backend/tview/lanes.h"
#include "backend/tview/names.h"
#include "shared/definition_clock.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <miscadmin.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// An array constant of numbers: {1,2}.
template <typename Number>
std::string NumberArray(const std::vector<Number>& numbers) {
  std::string text = "{";
  for (const Number number : numbers) {
    if (text.size() > 1) text += ',';
    text += std::to_string(number);
  }
  return text + '}';
}

// Two array constants: names and values.
std::pair<std::string, std::string> SettingArrays(const DefinitionSettings& settings) {
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const DefinitionSetting& setting : settings) {
    if (setting.name == kClockSetting) continue;  // derived, and kept beside them
    names.push_back(setting.name);
    values.push_back(setting.value);
  }
  return {TextArray(names), TextArray(values)};
}

pg::SqlValue OrNull(const std::string& text) {
  return text.empty() ? pg::SqlValue() : pg::SqlValue(text);
}

std::vector<RelationId> Dependencies(const Analysis& analysis) {
  std::vector<RelationId> dependencies;
  for (const SourceLineage& source : analysis.sources) dependencies.push_back(source.source);
  return dependencies;
}

// One text per source, its paths joined.
std::vector<std::string> DependencyPaths(const Analysis& analysis) {
  std::vector<std::string> texts;
  for (const SourceLineage& source : analysis.sources) {
    std::string text;
    for (const LineagePath& path : source.paths) {
      if (!text.empty()) text += "; ";
      text += std::string(StrategyName(path.strategy)) + ": " + path.description;
    }
    texts.push_back(text);
  }
  return texts;
}

std::vector<AttributeNumber> CapturedAttributes(const LineagePath& path) {
  std::vector<AttributeNumber> attributes;
  for (const CapturedColumn& column : path.captured) attributes.push_back(column.attribute);
  return attributes;
}

absl::Status InsertLineage(RelationId tview, const Analysis& analysis) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_lineage"));
  const std::string sql =
      "INSERT INTO " + table +
      " (tview, source, path, strategy, captured, relevant, lookup, description, part, filters)"
      " VALUES"
      " ($1::oid, $2::oid, $3::integer, $4, $5::smallint[], $6::smallint[], $7, $8,"
      " $9::smallint[], $10::text[])";
  for (const SourceLineage& source : analysis.sources) {
    for (std::size_t i = 0; i < source.paths.size(); ++i) {
      const LineagePath& path = source.paths[i];
      TVIEWS_RETURN_IF_ERROR(
          pg::ExecuteSqlLatest(
              sql,
              {std::to_string(tview), std::to_string(source.source), std::to_string(i + 1),
               StrategyName(path.strategy), NumberArray(CapturedAttributes(path)),
               NumberArray(path.relevant),
               path.lookup.empty() ? pg::SqlValue() : pg::SqlValue(path.lookup), path.description,
               path.part.empty() ? pg::SqlValue() : pg::SqlValue(NumberArray(path.part)),
               path.filters.empty()
                   ? pg::SqlValue()
                   : pg::SqlValue(TextArray({path.filters.begin(), path.filters.end()}))})
              .status());
    }
  }
  return CheckLane(tview);
}

// What the analysis says, beside what the user has chosen, and the fill, as a JSON object. The
// auditor leaves out what is undetermined.
std::string DerivedOptions(const Analysis& analysis, Timestamp filled_at = 0) {
  std::vector<std::string> options;
  if (!analysis.undetermined.empty()) options.emplace_back(R"("undetermined": true)");
  if (analysis.tells_null_keys && !analysis.key_is_not_null) {
    options.emplace_back(R"("tells_null_keys": true)");
  }
  if (analysis.clock_period_ms > 0) {
    options.push_back("\"clock\": " + std::to_string(analysis.clock_period_ms));
  }
  if (!analysis.deadlines.empty()) options.push_back("\"deadlines\": " + analysis.deadlines);
  if (filled_at > 0) options.push_back("\"filled_at\": " + std::to_string(filled_at));
  return "{" + absl::StrJoin(options, ", ") + "}";
}

constexpr char kWithoutDerived[] =
    " - ARRAY['undetermined', 'tells_null_keys', 'clock', 'deadlines', 'reads_unknown']";

// The text of a DELETE of the rows of $1.
absl::StatusOr<std::string> DeleteFrom(pg::CatalogTable table) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, pg::QualifiedTable(table));
  return "DELETE FROM " + name + " WHERE tview = $1::oid";
}

// False of some in version 0.1.0.
absl::StatusOr<bool> MetaHasColumn(const char* name) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, pg::CatalogTableId(pg::CatalogTable::kMeta));
  return pg::CallFor([=] { return get_attnum(meta, name) != 0; });
}

// What the views say, so that the health check notices one that is replaced behind our back.
absl::Status StoreViewRules(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_column, MetaHasColumn("view_rules"));
  if (!has_column) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  return pg::ExecuteSqlLatest(
             "UPDATE " + table +
                 " AS m SET view_rules = (SELECT md5(string_agg(r.ev_action::text, '' ORDER BY"
                 " r.ev_class)) FROM pg_rewrite r WHERE r.ev_type = '1' AND (r.ev_class ="
                 " m.backing_view OR r.ev_class = ANY (m.nested_views))) WHERE m.tview = $1::oid",
             {std::to_string(tview)})
      .status();
}

}  // namespace

absl::Status NoteMetadataChange() {
  TVIEWS_RETURN_IF_ERROR(pg::InvalidateCatalog());
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, pg::CatalogTableId(pg::CatalogTable::kMeta));
  return TransactionBuffer::Instance().MarkWhole(meta);
}

absl::Status InsertMetadata(const TviewMetadata& metadata) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  const auto [names, values] = SettingArrays(metadata.settings);
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest(
          "INSERT INTO " + table +
              " (tview, entity, backing_view, key_column, key_columns, definition, dependencies,"
              " dependency_paths, nested_views, key_is_not_null, fill_snapshot, fill_creator,"
              " system_identifier, database_oid, options) VALUES ($1::oid, $2, $3::oid,"
              " ($4::name[])[1], $4::name[], $5, $6::oid[], $7::text[], $8::oid[], $9::boolean,"
              " $10::pg_snapshot, $11::xid8, $12::bigint, $13::oid, $14::jsonb" +
              kWithoutDerived +
              " - 'filled_at' || $15::jsonb"
              " || jsonb_build_object('settings', jsonb_object($16::text[], $17::text[])))",
          {std::to_string(metadata.tview), metadata.entity, std::to_string(metadata.backing_view),
           TextArray(metadata.key_columns), metadata.definition,
           NumberArray(Dependencies(metadata.analysis)),
           TextArray(DependencyPaths(metadata.analysis)),
           NumberArray(metadata.analysis.nested_views),
           metadata.analysis.key_is_not_null ? "true" : "false", OrNull(metadata.fill_snapshot),
           OrNull(metadata.fill_creator),
           std::to_string(static_cast<std::int64_t>(GetSystemIdentifier())),
           std::to_string(MyDatabaseId), "{" + metadata.options + "}",
           DerivedOptions(metadata.analysis, metadata.fill_clock), names, values})
          .status());
  TVIEWS_RETURN_IF_ERROR(StoreViewRules(metadata.tview));
  TVIEWS_RETURN_IF_ERROR(InsertLineage(metadata.tview, metadata.analysis));
  TVIEWS_RETURN_IF_ERROR(WriteLabel(metadata.tview));
  TVIEWS_RETURN_IF_ERROR(WriteComments(metadata.tview, metadata.backing_view, metadata.definition));
  return NoteMetadataChange();
}

absl::Status ReplaceLineage(RelationId tview, const Analysis& analysis) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest(
          "UPDATE " + table +
              " SET dependencies = $2::oid[], dependency_paths = $3::text[],"
              " nested_views = $4::oid[], key_is_not_null = $5::boolean,"
              " options = options" +
              kWithoutDerived + " || $6::jsonb WHERE tview = $1::oid",
          {std::to_string(tview), NumberArray(Dependencies(analysis)),
           TextArray(DependencyPaths(analysis)), NumberArray(analysis.nested_views),
           analysis.key_is_not_null ? "true" : "false", DerivedOptions(analysis)})
          .status());
  TVIEWS_RETURN_IF_ERROR(StoreViewRules(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::string old_lineage, DeleteFrom(pg::CatalogTable::kLineage));
  TVIEWS_RETURN_IF_ERROR(pg::ExecuteSqlLatest(old_lineage, {std::to_string(tview)}).status());
  TVIEWS_RETURN_IF_ERROR(InsertLineage(tview, analysis));
  return NoteMetadataChange();
}

CaptureShape CaptureShapeOf(const std::vector<SourceLineage>& sources) {
  CaptureShape shape;
  for (const SourceLineage& source : sources) {
    for (const LineagePath& path : source.paths) {
      shape.emplace_back(absl::StrCat(source.source, NumberArray(CapturedAttributes(path)),
                                      NumberArray(path.relevant)),
                         absl::StrJoin(path.filters, " "));
    }
  }
  std::sort(shape.begin(), shape.end());
  return shape;
}

absl::StatusOr<CaptureShape> StoredCaptureShape(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT source::oid::text || captured::text || relevant::text,"
                           " coalesce(array_to_string(filters, ' '), '') FROM " +
                               table + " WHERE tview = $1::oid",
                           {std::to_string(tview)}));
  CaptureShape shape;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    std::string columns = column.Text();
    std::string filters = column.Text();
    TVIEWS_RETURN_IF_ERROR(column.End());
    shape.emplace_back(std::move(columns), std::move(filters));
  }
  std::sort(shape.begin(), shape.end());
  return shape;
}

bool CapturesAll(const CaptureShape& stored, const CaptureShape& wanted) {
  return std::equal(stored.begin(), stored.end(), wanted.begin(), wanted.end(),
                    [](const auto& before, const auto& after) {
                      return before.first == after.first &&
                             (before.second.empty() || before.second == after.second);
                    });
}

absl::Status ReplaceDefinition(RelationId tview, const std::string& definition) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("UPDATE " + table + " SET definition = $2 WHERE tview = $1::oid",
                           {std::to_string(tview), definition})
          .status());
  return NoteMetadataChange();
}

absl::Status Disown(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("UPDATE " + table + " SET database_oid = 0 WHERE tview = $1::oid",
                           {std::to_string(tview)})
          .status());
  // An adoption that has failed may succeed now: readers wait for it again.
  TVIEWS_ASSIGN_OR_RETURN(const std::string letters, DeleteFrom(pg::CatalogTable::kDeadLetter));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest(letters + " AND key IS NULL", {std::to_string(tview)}).status());
  return NoteMetadataChange();
}

absl::Status NoteExchange(RelationId tview, bool until_filled) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_column, MetaHasColumn("exchanged_by"));
  const std::string exchange = has_column ? "exchanged_by = pg_current_xact_id(), " : "";
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("UPDATE " + table + " SET " + exchange +
                               "fill_snapshot = CASE WHEN"
                               " $2::boolean THEN pg_current_snapshot() ELSE fill_snapshot END,"
                               " fill_creator = CASE WHEN $2::boolean THEN pg_current_xact_id()"
                               " ELSE fill_creator END WHERE tview = $1::oid",
                           {std::to_string(tview), until_filled ? "true" : "false"})
          .status());
  return NoteMetadataChange();
}

absl::Status ForgetDeadKeys(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string letters, DeleteFrom(pg::CatalogTable::kDeadLetter));
  return pg::ExecuteSqlLatest(letters + " AND key IS NOT NULL", {std::to_string(tview)}).status();
}

absl::Status RenameEntity(RelationId tview, const std::string& entity) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("UPDATE " + table + " SET entity = $2 WHERE tview = $1::oid",
                           {std::to_string(tview), entity})
          .status());
  return NoteMetadataChange();
}

absl::Status ChangeOptions(RelationId tview, const std::string& set, const std::string& reset) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("UPDATE " + table +
                               " SET options = (options || $2::jsonb) - $3::text[]"
                               " WHERE tview = $1::oid",
                           {std::to_string(tview), set, reset})
          .status());
  TVIEWS_RETURN_IF_ERROR(WriteLabel(tview));
  return NoteMetadataChange();
}

absl::Status ReplaceSettings(RelationId tview, const DefinitionSettings& settings) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_meta"));
  const auto [names, values] = SettingArrays(settings);
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("UPDATE " + table +
                               " SET options = options || jsonb_build_object('settings',"
                               " jsonb_object($2::text[], $3::text[])) WHERE tview = $1::oid",
                           {std::to_string(tview), names, values})
          .status());
  TVIEWS_RETURN_IF_ERROR(WriteLabel(tview));
  return NoteMetadataChange();
}

namespace {

// That `shadow` is one. After the exchange the applier forgets it.
absl::Status ForgetReplacement(RelationId shadow) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_here, pg::HasCatalogTable(pg::CatalogTable::kReplacement));
  if (!is_here) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kReplacement));
  return pg::ExecuteSqlLatest(
             "DELETE FROM " + table + " WHERE shadow = $1::oid AND exchanged_at IS NULL",
             {std::to_string(shadow)})
      .status();
}

}  // namespace

absl::StatusOr<std::vector<RelationId>> DeleteMetadata(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_RETURN_IF_ERROR(RemoveGroupStates(tview));
  const pg::SqlParameters id = {std::to_string(tview)};
  for (const pg::CatalogTable table :
       {pg::CatalogTable::kMeta, pg::CatalogTable::kDeadLetter, pg::CatalogTable::kFill}) {
    // Of an older version.
    TVIEWS_ASSIGN_OR_RETURN(const bool is_here, pg::HasCatalogTable(table));
    if (!is_here) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string sql, DeleteFrom(table));
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteSqlLatest(sql, id).status());
  }
  TVIEWS_RETURN_IF_ERROR(ForgetReplacement(tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::string sql, DeleteFrom(pg::CatalogTable::kLineage));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult deleted,
                          pg::ExecuteSqlLatest("WITH deleted AS (" + sql +
                                                   " RETURNING source) SELECT DISTINCT source::oid"
                                                   " FROM deleted ORDER BY 1",
                                               id));
  TVIEWS_RETURN_IF_ERROR(NoteMetadataChange());
  return RelationIds(deleted);
}

}  // namespace tviews::backend
