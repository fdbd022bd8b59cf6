#include "shared/pg/tables/graph_loader.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/server/image_equality.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/transam.h>
#include <catalog/pg_am.h>
#include <catalog/pg_operator.h>
#include <catalog/pg_type.h>
#include <commands/defrem.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Arrays are written as "1 2 3" so that reading them back takes a split.
constexpr char kMetaSql[] =
    "SELECT m.tview::oid, m.backing_view::oid, m.entity, tn.nspname, tc.relname, vn.nspname,"
    " vc.relname, cardinality(m.key_columns), tc.relowner,"
    " m.key_is_not_null, m.state = 'quarantined', m.fill_snapshot, m.fill_creator,"
    " array_to_string(m.nested_views, ' '), m.options ->> 'notify' = 'true', m.options ->> 'feed',"
    " m.options ->> 'undetermined' = 'true', m.options ->> 'tells_null_keys' = 'true',"
    " m.options ->> 'refresh_timeout', m.options ->> 'refresh_memory',"
    " m.options ->> 'filled_at', coalesce(m.options ->> 'lane', 'main'),"
    " m.options ->> 'lag_target', $settings"
    " FROM $meta m JOIN pg_class tc ON tc.oid = m.tview"
    " JOIN pg_namespace tn ON tn.oid = tc.relnamespace"
    " JOIN pg_class vc ON vc.oid = m.backing_view"
    " JOIN pg_namespace vn ON vn.oid = vc.relnamespace"
    " WHERE m.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())";

// The columns of keys, in order.
// By index for each column: a hash would read all of pg_attribute.
constexpr char kKeySql[] =
    "SELECT m.tview::oid, a.attname, a.attnum, a.atttypid, a.attcollation"
    " FROM $meta m CROSS JOIN unnest(m.key_columns) WITH ORDINALITY AS k (name, place)"
    " CROSS JOIN LATERAL (SELECT * FROM pg_attribute WHERE attrelid = m.tview AND attname = k.name"
    " OFFSET 0) AS a"
    " ORDER BY m.tview::oid, k.place";

constexpr char kLineageSql[] =
    "SELECT l.tview::oid, l.source::oid, l.strategy, array_to_string(l.captured, ' '),"
    " (SELECT string_agg(coalesce(a.atttypid, 0)::text, ' ' ORDER BY c.i)"
    "  FROM unnest(l.captured) WITH ORDINALITY c (attnum, i)"
    "  LEFT JOIN pg_attribute a ON a.attrelid = l.source AND a.attnum = c.attnum"
    "   AND NOT a.attisdropped),"
    " array_to_string(l.relevant, ' '), l.lookup, l.description, array_to_string(l.part, ' '),"
    " EXISTS (SELECT FROM $meta m WHERE m.tview = l.source)"
    " FROM $lineage l ORDER BY l.tview::oid, l.source::oid, l.path";

// An option, which a label may have brought: what is no number is none.
std::optional<std::uint64_t> NumberOrNothing(const SqlValue& value) {
  std::uint64_t number = 0;
  if (!value.has_value() || !absl::SimpleAtoi(*value, &number)) return std::nullopt;
  return number;
}

std::string Substitute(std::string sql, const std::string& what, const std::string& by) {
  for (std::size_t at = sql.find(what); at != std::string::npos; at = sql.find(what, at)) {
    sql.replace(at, what.size(), by);
    at += by.size();
  }
  return sql;
}

absl::StatusOr<std::string> SchemaPrefix() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string schema, ExtensionSchemaName());
  return QuoteIdentifier(schema) + ".";
}

struct OperatorName {
  const char* schema = nullptr;
  const char* name = nullptr;

  // SQL that means it whatever the search_path.
  std::string text() const {
    return absl::StrCat("OPERATOR(", QuoteIdentifier(schema), ".", name, ")");
  }
};

// Inside a Call. Nothing if it is gone.
std::optional<OperatorName> NameOfOperator(Oid32 id) {
  HeapTuple const tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(id));
  if (!HeapTupleIsValid(tuple)) return std::nullopt;
  const Form_pg_operator form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
  const OperatorName name = {.schema = get_namespace_name(form->oprnamespace),
                             .name = pstrdup(NameStr(form->oprname))};
  ReleaseSysCache(tuple);
  return name;
}

// True of row types, and of arrays, ranges and domains of them, that have the operators of
// pg_catalog, unless somebody made a default class for the type. To ask the type cache would open
// the row type's relation, which another session may have dropped or hold locked. Inside a Call.
bool IsOfRows(TypeId type) {
  if (GetDefaultOpClass(type, BTREE_AM_OID) >= FirstNormalObjectId) return false;
  for (TypeId inner = type; inner != InvalidOid;) {
    type = getBaseType(inner);
    inner = get_element_type(type);
    if (inner == InvalidOid) inner = get_range_subtype(type);
  }
  return get_typtype(type) == TYPTYPE_COMPOSITE;
}

// The equality under which keys of the type are unique, and whether it is image equality; the
// order. A type that is gone or has lost an operator concerns its TVIEW alone: the names that are
// left raise where they are used.
absl::Status DescribeKeyType(Oid32 collation, KeyColumn* key) {
  std::optional<OperatorName> equality;
  std::optional<OperatorName> greater;
  bool image_equal = false;
  const TypeId type = key->type;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)) || IsOfRows(type)) return;
    TypeCacheEntry* const entry = lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_GT_OPR);
    if (OidIsValid(entry->eq_opr)) equality = NameOfOperator(entry->eq_opr);
    if (OidIsValid(entry->gt_opr)) greater = NameOfOperator(entry->gt_opr);
    image_equal = IsImageEqual(type, collation);
  }));
  if (equality.has_value()) key->equality = equality->text();
  if (greater.has_value()) key->greater = greater->text();
  key->is_image_equal = image_equal;
  return absl::OkStatus();
}

// A TVIEW, and how many columns its key has.
struct TviewRow {
  TviewDefinition tview;
  std::size_t key_columns = 0;
};

absl::StatusOr<TviewRow> ReadTview(const SqlRow& row) {
  RowReader column(row);
  TviewRow read;
  TviewDefinition& tview = read.tview;
  tview.relation = column.Oid();
  tview.backing_view = column.Oid();
  tview.entity = column.Text();
  const std::string schema = column.Text();
  tview.qualified_name = QuoteQualified(schema, column.Text());
  const std::string view_schema = column.Text();
  tview.qualified_view = QuoteQualified(view_schema, column.Text());
  read.key_columns = column.Number<std::size_t>();
  tview.owner = column.Oid();
  tview.key_is_not_null = column.IsTrue();
  tview.is_quarantined = column.IsTrue();
  const SqlValue fill_snapshot = column.OptionalText();
  const FullXid fill_creator = column.OptionalNumber<FullXid>().value_or(0);
  if (fill_snapshot.has_value()) {
    TVIEWS_ASSIGN_OR_RETURN(SnapshotBounds bounds, ParseSnapshot(*fill_snapshot));
    tview.fill = Fill{.snapshot = std::move(bounds), .creator = fill_creator};
  }
  tview.nested_views = column.Numbers<RelationId>();
  tview.notifies = column.IsTrue();
  const SqlValue feed = column.OptionalText();
  if (feed == "keys") tview.feed = FeedContent::kKeys;
  if (feed == "data") tview.feed = FeedContent::kData;
  tview.is_undetermined = column.IsTrue();
  tview.tells_null_keys = column.IsTrue();
  tview.refresh_timeout = NumberOrNothing(column.OptionalText());
  tview.refresh_memory = NumberOrNothing(column.OptionalText());
  const std::optional<std::uint64_t> filled_at = NumberOrNothing(column.OptionalText());
  if (tview.fill.has_value() && filled_at.has_value()) {
    tview.fill->clock = static_cast<Timestamp>(*filled_at);
  }
  const std::string lane = column.Text();
  if (IsLaneName(lane)) tview.lane = lane;
  tview.lag_target = NumberOrNothing(column.OptionalText());
  tview.settings = ReadSettings(&column);
  TVIEWS_RETURN_IF_ERROR(column.End());
  return read;
}

absl::StatusOr<KeyColumn> ReadKeyColumn(RowReader* column) {
  KeyColumn key;
  key.name = column->Text();
  key.attribute = column->Number<AttributeNumber>();
  key.type = column->Oid();
  const Oid32 collation = column->Oid();
  TVIEWS_RETURN_IF_ERROR(column->End());
  TVIEWS_RETURN_IF_ERROR(DescribeKeyType(collation, &key));
  return key;
}

absl::Status ReadKeys(const std::string& meta, std::map<RelationId, TviewRow>* tviews) {
  TVIEWS_ASSIGN_OR_RETURN(const SqlResult rows,
                          ExecuteSql(Substitute(kKeySql, "$meta", meta), {}, SqlSnapshot::kActive));
  for (const SqlRow& row : rows.rows) {
    RowReader column(row);
    const auto found = tviews->find(column.Oid());
    if (found == tviews->end()) continue;
    TVIEWS_ASSIGN_OR_RETURN(found->second.tview.key.emplace_back(), ReadKeyColumn(&column));
  }
  // What has lost a column of its key cannot be refreshed, as if it were not there.
  std::erase_if(*tviews, [](const auto& entry) {
    return entry.second.tview.key.size() != entry.second.key_columns ||
           entry.second.key_columns == 0;
  });
  return absl::OkStatus();
}

// One path, and what its row says besides.
struct LineageRow {
  RelationId tview = 0;
  RelationId source = 0;
  LineagePath path;
  bool source_is_tview = false;
};

absl::StatusOr<LineageRow> ReadLineage(const SqlRow& row) {
  RowReader column(row);
  LineageRow read;
  read.tview = column.Oid();
  read.source = column.Oid();
  const std::string strategy = column.Text();
  read.path.strategy = strategy == "direct"   ? Strategy::kDirect
                       : strategy == "lookup" ? Strategy::kLookup
                                              : Strategy::kFull;
  const std::vector<AttributeNumber> attributes = column.Numbers<AttributeNumber>();
  const std::vector<TypeId> types = column.Numbers<TypeId>();
  for (std::size_t i = 0; i < attributes.size() && i < types.size(); ++i) {
    read.path.captured.push_back({.attribute = attributes[i], .type = types[i]});
  }
  read.path.relevant = column.Numbers<AttributeNumber>();
  read.path.lookup = column.TextOrNothing();
  read.path.description = column.TextOrNothing();
  read.path.part = column.Numbers<std::size_t>();
  read.source_is_tview = column.IsTrue();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return read;
}

void AddLineage(LineageRow row, TviewDefinition* tview) {
  if (tview->sources.empty() || tview->sources.back().source != row.source) {
    SourceLineage lineage;
    lineage.source = row.source;
    lineage.source_is_tview = row.source_is_tview;
    tview->sources.push_back(std::move(lineage));
  }
  SourceLineage& lineage = tview->sources.back();
  lineage.paths.push_back(std::move(row.path));
  std::vector<AttributeNumber> united;
  std::set_union(lineage.relevant.begin(), lineage.relevant.end(),
                 lineage.paths.back().relevant.begin(), lineage.paths.back().relevant.end(),
                 std::back_inserter(united));
  lineage.relevant = std::move(united);
}

}  // namespace

absl::StatusOr<DependencyGraph> LoadGraph() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string prefix, SchemaPrefix());
  const std::string meta = prefix + "pg_tview_meta";
  std::map<RelationId, TviewRow> tviews;
  const std::string meta_sql =
      Substitute(Substitute(kMetaSql, "$meta", meta), "$settings", SettingsColumns("m.options"));
  TVIEWS_ASSIGN_OR_RETURN(const SqlResult meta_rows,
                          ExecuteSql(meta_sql, {}, SqlSnapshot::kActive));
  for (const SqlRow& row : meta_rows.rows) {
    TVIEWS_ASSIGN_OR_RETURN(TviewRow read, ReadTview(row));
    const RelationId relation = read.tview.relation;
    tviews.emplace(relation, std::move(read));
  }
  TVIEWS_RETURN_IF_ERROR(ReadKeys(meta, &tviews));
  const std::string lineage_sql =
      Substitute(Substitute(kLineageSql, "$meta", meta), "$lineage", prefix + "pg_tview_lineage");
  TVIEWS_ASSIGN_OR_RETURN(const SqlResult lineage_rows,
                          ExecuteSql(lineage_sql, {}, SqlSnapshot::kActive));
  for (const SqlRow& row : lineage_rows.rows) {
    TVIEWS_ASSIGN_OR_RETURN(LineageRow read, ReadLineage(row));
    const auto found = tviews.find(read.tview);
    if (found != tviews.end()) AddLineage(std::move(read), &found->second.tview);
  }
  std::vector<TviewDefinition> list;
  list.reserve(tviews.size());
  for (auto& [relation, read] : tviews) list.push_back(std::move(read.tview));
  return DependencyGraph::Build(std::move(list));
}

absl::StatusOr<std::string> KeyEquality(TypeId type) {
  std::optional<OperatorName> equality;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    equality = NameOfOperator(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr);
    if (equality.has_value()) return;
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_FUNCTION),
             errmsg("could not identify an equality operator for type %s", format_type_be(type))));
  }));
  return equality->text();
}

}  // namespace tviews::pg
