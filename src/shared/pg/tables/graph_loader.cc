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
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/nbtree.h>
#include <access/transam.h>
#include <catalog/pg_operator.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Arrays are written as "1 2 3" so that reading them back takes a split.
constexpr char kMetaSql[] =
    "SELECT m.tview::oid, m.backing_view::oid, m.entity, tn.nspname, tc.relname, vn.nspname,"
    " vc.relname, m.key_column, a.attnum, a.atttypid, a.attcollation, tc.relowner,"
    " m.key_is_not_null, m.state = 'quarantined', m.fill_snapshot, m.fill_creator,"
    " array_to_string(m.nested_views, ' '), m.options ->> 'notify' = 'true', m.options ->> 'feed',"
    " m.options ->> 'undetermined' = 'true', m.options ->> 'refresh_timeout',"
    " m.options ->> 'refresh_memory', $settings"
    " FROM $meta m JOIN pg_class tc ON tc.oid = m.tview"
    " JOIN pg_namespace tn ON tn.oid = tc.relnamespace"
    " JOIN pg_class vc ON vc.oid = m.backing_view"
    " JOIN pg_namespace vn ON vn.oid = vc.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = m.tview AND a.attname = m.key_column"
    " WHERE m.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())";

constexpr std::size_t kFirstSetting = 22;

constexpr char kLineageSql[] =
    "SELECT l.tview::oid, l.source::oid, l.strategy, array_to_string(l.captured, ' '),"
    " (SELECT string_agg(coalesce(a.atttypid, 0)::text, ' ' ORDER BY c.i)"
    "  FROM unnest(l.captured) WITH ORDINALITY c (attnum, i)"
    "  LEFT JOIN pg_attribute a ON a.attrelid = l.source AND a.attnum = c.attnum"
    "   AND NOT a.attisdropped),"
    " array_to_string(l.relevant, ' '), l.lookup, l.description,"
    " EXISTS (SELECT FROM $meta m WHERE m.tview = l.source)"
    " FROM $lineage l ORDER BY l.tview::oid, l.source::oid, l.path";

std::uint64_t Number(const SqlValue& value) {
  std::uint64_t number = 0;
  if (value.has_value() && !absl::SimpleAtoi(*value, &number)) number = 0;
  return number;
}

Oid32 OidOf(const SqlValue& value) { return static_cast<Oid32>(Number(value)); }
bool IsTrue(const SqlValue& value) { return value == "t"; }

template <typename T>
std::vector<T> Numbers(const SqlValue& value) {
  std::vector<T> numbers;
  if (!value.has_value()) return numbers;
  for (absl::string_view item : absl::StrSplit(*value, ' ', absl::SkipEmpty())) {
    std::uint64_t number = 0;
    if (absl::SimpleAtoi(item, &number)) numbers.push_back(static_cast<T>(number));
  }
  return numbers;
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

// Inside a Call.
OperatorName NameOfOperator(Oid32 id) {
  HeapTuple const tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(id));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "operator %u does not exist", id);
  const Form_pg_operator form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
  const OperatorName name = {.schema = get_namespace_name(form->oprnamespace),
                             .name = pstrdup(NameStr(form->oprname))};
  ReleaseSysCache(tuple);
  return name;
}

// Of the functions that say whether equality is that of images only the server's are asked: others
// would run here as whoever loads the graph. Without an answer keys are compared.
bool IsImageEqual(const TypeCacheEntry* type, Oid32 collation) {
  const Oid procedure = get_opfamily_proc(type->btree_opf, type->btree_opintype,
                                          type->btree_opintype, BTEQUALIMAGE_PROC);
  if (!OidIsValid(procedure) || procedure >= FirstNormalObjectId) return false;
  return DatumGetBool(
      OidFunctionCall1Coll(procedure, collation, ObjectIdGetDatum(type->btree_opintype)));
}

// The equality under which keys of the type are unique, and whether it is image equality; the
// order. A type that has lost an operator concerns its TVIEW alone: the names that are left raise
// where they are used.
absl::Status DescribeKeyType(TypeId type, Oid32 collation, TviewDefinition* tview) {
  std::optional<OperatorName> equality;
  std::optional<OperatorName> greater;
  bool image_equal = false;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    TypeCacheEntry* const entry =
        lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_GT_OPR | TYPECACHE_BTREE_OPFAMILY);
    if (OidIsValid(entry->eq_opr)) equality = NameOfOperator(entry->eq_opr);
    if (OidIsValid(entry->gt_opr)) greater = NameOfOperator(entry->gt_opr);
    image_equal = OidIsValid(entry->btree_opf) && IsImageEqual(entry, collation);
  }));
  if (equality.has_value()) tview->key_equality = equality->text();
  if (greater.has_value()) tview->key_greater = greater->text();
  tview->key_is_image_equal = image_equal;
  return absl::OkStatus();
}

absl::StatusOr<TviewDefinition> ReadTview(const SqlRow& row) {
  TviewDefinition tview;
  tview.relation = OidOf(row[0]);
  tview.backing_view = OidOf(row[1]);
  tview.entity = *row[2];
  tview.qualified_name = QuoteQualified(*row[3], *row[4]);
  tview.qualified_view = QuoteQualified(*row[5], *row[6]);
  tview.key_column = *row[7];
  tview.key_attribute = static_cast<AttributeNumber>(Number(row[8]));
  tview.key_type = OidOf(row[9]);
  tview.owner = OidOf(row[11]);
  tview.key_is_not_null = IsTrue(row[12]);
  tview.is_quarantined = IsTrue(row[13]);
  if (row[14].has_value()) {
    TVIEWS_ASSIGN_OR_RETURN(SnapshotBounds bounds, ParseSnapshot(*row[14]));
    tview.fill = Fill{.snapshot = std::move(bounds), .creator = Number(row[15])};
  }
  tview.nested_views = Numbers<RelationId>(row[16]);
  tview.notifies = IsTrue(row[17]);
  if (row[18] == "keys") tview.feed = FeedContent::kKeys;
  if (row[18] == "data") tview.feed = FeedContent::kData;
  tview.is_undetermined = IsTrue(row[19]);
  if (row[20].has_value()) tview.refresh_timeout = Number(row[20]);
  if (row[21].has_value()) tview.refresh_memory = Number(row[21]);
  tview.settings = SettingsFromRow(row, kFirstSetting);
  TVIEWS_RETURN_IF_ERROR(DescribeKeyType(tview.key_type, OidOf(row[10]), &tview));
  return tview;
}

LineagePath ReadPath(const SqlRow& row) {
  LineagePath path;
  path.strategy = row[2] == "direct"   ? Strategy::kDirect
                  : row[2] == "lookup" ? Strategy::kLookup
                                       : Strategy::kFull;
  const std::vector<AttributeNumber> attributes = Numbers<AttributeNumber>(row[3]);
  const std::vector<TypeId> types = Numbers<TypeId>(row[4]);
  for (std::size_t i = 0; i < attributes.size() && i < types.size(); ++i) {
    path.captured.push_back({.attribute = attributes[i], .type = types[i]});
  }
  path.relevant = Numbers<AttributeNumber>(row[5]);
  path.lookup = row[6].value_or("");
  path.description = row[7].value_or("");
  return path;
}

void AddLineage(const SqlRow& row, TviewDefinition* tview) {
  const RelationId source = OidOf(row[1]);
  if (tview->sources.empty() || tview->sources.back().source != source) {
    SourceLineage lineage;
    lineage.source = source;
    lineage.source_is_tview = IsTrue(row[8]);
    tview->sources.push_back(std::move(lineage));
  }
  SourceLineage& lineage = tview->sources.back();
  lineage.paths.push_back(ReadPath(row));
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
  std::map<RelationId, TviewDefinition> tviews;
  const std::string meta_sql = Substitute(Substitute(kMetaSql, "$meta", meta), "$settings",
                                          SettingsColumns("m.options -> 'settings'"));
  TVIEWS_ASSIGN_OR_RETURN(const SqlResult meta_rows, ExecuteSql(meta_sql, {}, true));
  for (const SqlRow& row : meta_rows.rows) {
    TVIEWS_ASSIGN_OR_RETURN(TviewDefinition tview, ReadTview(row));
    const RelationId relation = tview.relation;
    tviews.emplace(relation, std::move(tview));
  }
  const std::string lineage_sql =
      Substitute(Substitute(kLineageSql, "$meta", meta), "$lineage", prefix + "pg_tview_lineage");
  TVIEWS_ASSIGN_OR_RETURN(const SqlResult lineage_rows, ExecuteSql(lineage_sql, {}, true));
  for (const SqlRow& row : lineage_rows.rows) {
    const auto found = tviews.find(OidOf(row[0]));
    if (found != tviews.end()) AddLineage(row, &found->second);
  }
  std::vector<TviewDefinition> list;
  list.reserve(tviews.size());
  for (auto& [relation, tview] : tviews) list.push_back(std::move(tview));
  return DependencyGraph::Build(std::move(list));
}

absl::StatusOr<std::string> KeyEquality(TypeId type) {
  OperatorName equality;
  TVIEWS_RETURN_IF_ERROR(
      Call([&] { equality = NameOfOperator(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr); }));
  return equality.text();
}

}  // namespace tviews::pg
