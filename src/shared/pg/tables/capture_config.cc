#include "shared/pg/tables/capture_config.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "shared/lru_map.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/columns.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/indexing.h>
#include <catalog/namespace.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_inherits.h>
#include <catalog/pg_type.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/inval.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr AttributeNumber kWholeRow = 0;

struct Generation {
  std::uint64_t catalog = 0;
  std::uint64_t relations = 0;
  friend bool operator==(const Generation&, const Generation&) = default;
};

struct Cache {
  // Moves on when a relation that some configuration was made from may have changed.
  std::uint64_t relation_generation = 1;
  Generation built_at;  // of everything below
  absl::flat_hash_set<RelationId> watched;
  LruMap<RelationId, CaptureConfig> configs;  // at most pg_tviews.graph_cache_size
  std::size_t bytes = 0;                      // of them, about
};

Cache& TheCache() {
  static NoDestructor<Cache> cache;
  return *cache;
}

// Only moves a counter: callbacks arrive in the middle of catalog access.
void AtRelationInvalidation(Datum, Oid relation) {
  EnterQuietly([relation] {
    Cache& cache = TheCache();
    if (relation == InvalidOid || cache.watched.contains(relation)) ++cache.relation_generation;
  });
}

// What the TVIEWs that read one source need, all together.
struct Needs {
  bool has_reader = false;
  std::set<AttributeNumber> captured;
  std::set<AttributeNumber> relevant;
  std::set<std::string> filters;
  bool counts_always = false;  // for some path, every version of a row counts
  bool is_counted = false;
  std::set<AttributeNumber> counted;  // by group states
};

// A plain array of attribute numbers, in server memory.
struct Numbers {
  const std::int16_t* values = nullptr;
  int count = 0;
};

// Inside a Call.
Numbers NumbersOf(HeapTuple tuple, AttrNumber column, TupleDesc description) {
  bool is_null = false;
  const Datum value = heap_getattr(tuple, column, description, &is_null);
  if (is_null) return {};
  ArrayType* const array = DatumGetArrayTypeP(value);
  if (ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT2OID) {
    elog(ERROR, "pg_tview_lineage holds a malformed array");
  }
  return {.values = reinterpret_cast<const std::int16_t*>(ARR_DATA_PTR(array)),
          .count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))};
}

// Strings in server memory.
struct Texts {
  const Datum* values = nullptr;
  int count = 0;  // 0: NULL
};

// Inside a Call.
Texts TextsOf(HeapTuple tuple, AttrNumber column, TupleDesc description) {
  if (column > description->natts) return {};  // the extension in this database is of before
  bool is_null = false;
  const Datum value = heap_getattr(tuple, column, description, &is_null);
  if (is_null) return {};
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
                    &count);
  for (int i = 0; i < count; ++i) {
    if (nulls[i]) elog(ERROR, "pg_tview_lineage holds a malformed array");
    values[i] = PointerGetDatum(TextDatumGetCString(values[i]));
  }
  return {.values = values, .count = count};
}

// A scan of a table by an index on an OID column, under the latest snapshot.
struct CatalogScan {
  Relation table = nullptr;
  SysScanDesc scan = nullptr;
};

// Inside a Call.
CatalogScan BeginScan(Oid table, Oid index, AttrNumber column, Oid value) {
  CatalogScan result;
  result.table = table_open(table, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
  result.scan = systable_beginscan(result.table, index, true, nullptr, 1, &key);
  return result;
}

// Inside a Call.
void EndScan(const CatalogScan& scan) {
  systable_endscan(scan.scan);
  table_close(scan.table, AccessShareLock);
}

absl::StatusOr<Oid> LineageIndex() {
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, ExtensionSchema());
  return CallFor([schema] { return get_relname_relid("pg_tview_lineage_source", schema); });
}

// The columns that group states of `source` are made of.
absl::Status ReadCounted(RelationId source, Needs* needs) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_states, HasCatalogTable(CatalogTable::kGroupSource));
  if (!has_states) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kGroupSource));
  TVIEWS_ASSIGN_OR_RETURN(const CatalogScan scan, CallFor([table, source] {
                            const Oid index = get_relname_relid("pg_tview_group_source_source",
                                                                get_rel_namespace(table));
                            return BeginScan(table, index, GroupSourceColumn::kSource, source);
                          }));
  for (;;) {
    bool found = false;
    Numbers columns;
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      HeapTuple const tuple = systable_getnext(scan.scan);
      if (tuple == nullptr) return;
      found = true;
      columns = NumbersOf(tuple, GroupSourceColumn::kColumns, RelationGetDescr(scan.table));
    }));
    if (!found) break;
    needs->is_counted = true;
    needs->counted.insert(columns.values, columns.values + columns.count);
  }
  return Call([&] { EndScan(scan); });
}

absl::StatusOr<Needs> ReadNeeds(RelationId source) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kLineage));
  TVIEWS_ASSIGN_OR_RETURN(const Oid index, LineageIndex());
  TVIEWS_ASSIGN_OR_RETURN(const CatalogScan scan, CallFor([table, index, source] {
                            return BeginScan(table, index, LineageColumn::kSource, source);
                          }));
  Needs needs;
  for (;;) {
    bool found = false;
    Numbers captured;
    Numbers relevant;
    Texts filters;
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      HeapTuple const tuple = systable_getnext(scan.scan);
      if (tuple == nullptr) return;
      found = true;
      captured = NumbersOf(tuple, LineageColumn::kCaptured, RelationGetDescr(scan.table));
      relevant = NumbersOf(tuple, LineageColumn::kRelevant, RelationGetDescr(scan.table));
      filters = TextsOf(tuple, LineageColumn::kFilters, RelationGetDescr(scan.table));
    }));
    if (!found) break;
    needs.has_reader = true;
    needs.captured.insert(captured.values, captured.values + captured.count);
    needs.relevant.insert(relevant.values, relevant.values + relevant.count);
    needs.counts_always = needs.counts_always || filters.count == 0;
    for (int i = 0; i < filters.count; ++i) {
      needs.filters.insert(reinterpret_cast<const char*>(DatumGetPointer(filters.values[i])));
    }
  }
  TVIEWS_RETURN_IF_ERROR(Call([&] { EndScan(scan); }));
  if (needs.has_reader) TVIEWS_RETURN_IF_ERROR(ReadCounted(source, &needs));
  // A state has a condition of its own, and must hear of every version.
  needs.counts_always = needs.counts_always || needs.is_counted;
  // An update that changes no relevant column is dropped.
  if (!needs.relevant.contains(kWholeRow)) {
    needs.relevant.insert(needs.counted.begin(), needs.counted.end());
  }
  return needs;
}

// `relation` and everything above it, without locks: a lock on a parent could wait for DDL.
absl::StatusOr<std::vector<RelationId>> WithAncestors(RelationId relation) {
  std::vector<RelationId> result{relation};
  for (std::size_t i = 0; i < result.size(); ++i) {
    const RelationId child = result[i];
    TheCache().watched.insert(child);  // before anything about it is read
    TVIEWS_ASSIGN_OR_RETURN(const CatalogScan scan, CallFor([child] {
                              return BeginScan(InheritsRelationId, InheritsRelidSeqnoIndexId,
                                               Anum_pg_inherits_inhrelid, child);
                            }));
    for (;;) {
      RelationId parent = 0;
      TVIEWS_RETURN_IF_ERROR(Call([&] {
        HeapTuple const tuple = systable_getnext(scan.scan);
        if (tuple == nullptr) return;
        parent = reinterpret_cast<Form_pg_inherits>(GETSTRUCT(tuple))->inhparent;
      }));
      if (parent == 0) break;
      if (std::find(result.begin(), result.end(), parent) == result.end()) result.push_back(parent);
    }
    TVIEWS_RETURN_IF_ERROR(Call([&] { EndScan(scan); }));
  }
  return result;
}

// The column of `changed` that is column `attribute` of its ancestor `source`; false if there is
// none.
absl::StatusOr<bool> Map(RelationId source, RelationId changed, AttributeNumber attribute,
                         MappedColumn* column) {
  return CallFor([=] {
    AttrNumber in_changed = attribute;
    if (source != changed) {
      char* const name = get_attname(source, attribute, true);
      if (name == nullptr) return false;
      in_changed = get_attnum(changed, name);
      if (in_changed <= 0) return false;
    }
    HeapTuple const tuple =
        SearchSysCache2(ATTNUM, ObjectIdGetDatum(changed), Int16GetDatum(in_changed));
    if (!HeapTupleIsValid(tuple)) return false;
    const auto* const form = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
    const bool exists = !form->attisdropped;
    *column = {.in_source = attribute,
               .in_changed = in_changed,
               .type = form->atttypid,
               .shape = {.length = form->attlen, .by_value = form->attbyval}};
    ReleaseSysCache(tuple);
    return exists;
  });
}

absl::StatusOr<std::set<AttributeNumber>> AllAttributes(RelationId relation) {
  std::set<AttributeNumber> result;
  for (AttributeNumber attribute = 1;; ++attribute) {
    bool exists = false;
    bool is_dropped = false;
    TVIEWS_RETURN_IF_ERROR(Call([&] {
      HeapTuple const tuple =
          SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(attribute));
      if (!HeapTupleIsValid(tuple)) return;
      exists = true;
      is_dropped = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple))->attisdropped;
      ReleaseSysCache(tuple);
    }));
    if (!exists) return result;
    if (!is_dropped) result.insert(attribute);
  }
}

absl::StatusOr<CaptureTarget> MakeTarget(RelationId source, RelationId changed, Needs needs) {
  CaptureTarget target;
  target.source = source;
  if (needs.relevant.contains(kWholeRow)) {
    TVIEWS_ASSIGN_OR_RETURN(needs.relevant, AllAttributes(source));
  }
  const auto map_all = [&](const std::set<AttributeNumber>& attributes,
                           std::vector<MappedColumn>* columns) -> absl::Status {
    for (const AttributeNumber attribute : attributes) {
      MappedColumn column;
      TVIEWS_ASSIGN_OR_RETURN(const bool is_mapped, Map(source, changed, attribute, &column));
      target.is_unmapped = target.is_unmapped || !is_mapped;
      columns->push_back(column);
    }
    return absl::OkStatus();
  };
  TVIEWS_RETURN_IF_ERROR(map_all(needs.captured, &target.captured));
  TVIEWS_RETURN_IF_ERROR(map_all(needs.relevant, &target.relevant));
  target.is_counted = needs.is_counted;
  TVIEWS_RETURN_IF_ERROR(map_all(needs.counted, &target.counted));
  for (const MappedColumn& column : target.counted) {
    target.image_columns.push_back({.attribute = column.in_source, .type = column.type});
  }
  for (const MappedColumn& column : target.captured) {
    target.layout.columns.push_back({.attribute = column.in_source, .type = column.type});
  }
  if (!needs.counts_always) {
    TVIEWS_ASSIGN_OR_RETURN(target.filter, RowFilter::Make(needs.filters, source, changed));
  }
  return target;
}

absl::StatusOr<CaptureConfig> ReadConfig(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, WithAncestors(relation));
  CaptureConfig config;
  for (const RelationId source : sources) {
    TVIEWS_ASSIGN_OR_RETURN(Needs needs, ReadNeeds(source));
    if (!needs.has_reader) continue;
    TVIEWS_ASSIGN_OR_RETURN(CaptureTarget target, MakeTarget(source, relation, std::move(needs)));
    for (const auto* columns : {&target.captured, &target.relevant, &target.counted}) {
      for (const MappedColumn& column : *columns) {
        config.highest_attribute = std::max(config.highest_attribute, column.in_changed);
      }
    }
    config.highest_attribute =
        std::max(config.highest_attribute, target.filter.highest_attribute());
    config.targets.push_back(std::move(target));
  }
  return config;
}

std::size_t SizeOf(const CaptureConfig& config) {
  std::size_t bytes = sizeof(config) + 64;
  for (const CaptureTarget& target : config.targets) {
    bytes += sizeof(target) +
             sizeof(MappedColumn) *
                 (target.captured.size() + target.relevant.size() + target.counted.size()) +
             sizeof(CapturedColumn) * (target.layout.columns.size() + target.image_columns.size());
  }
  return bytes;
}

const CaptureConfig* Remember(RelationId relation, CaptureConfig config, Cache* cache) {
  cache->bytes += SizeOf(config);
  // Reading it may have led here again.
  CaptureConfig* kept = cache->configs.Find(relation);
  if (kept == nullptr) kept = cache->configs.Insert(relation, {});
  *kept = std::move(config);
  const auto limit = static_cast<std::size_t>(settings::graph_cache_size);
  while (const auto evicted = cache->configs.EvictBeyond(limit)) {
    cache->bytes -= SizeOf(*evicted);
    cache_stats::Evict(CacheKind::kGraph);
  }
  cache_stats::SetSize(CacheKind::kGraph, cache->configs.size(), cache->bytes);
  return kept;
}

}  // namespace

void InitializeCaptureConfig() { CacheRegisterRelcacheCallback(AtRelationInvalidation, Datum{0}); }

absl::StatusOr<const CaptureConfig*> CaptureConfigOf(RelationId relation) {
  Cache& cache = TheCache();
  // What moves on while a configuration is read makes it stale for the next call.
  const Generation now{.catalog = CatalogGeneration(), .relations = cache.relation_generation};
  if (cache.built_at != now) {
    cache.configs.Clear();
    cache.bytes = 0;
    cache_stats::SetSize(CacheKind::kGraph, 0, 0);
    cache.watched.clear();
    cache.built_at = now;
  }
  if (const CaptureConfig* const cached = cache.configs.Find(relation); cached != nullptr) {
    cache_stats::Hit(CacheKind::kGraph);
    return cached;
  }
  cache_stats::Miss(CacheKind::kGraph);
  TVIEWS_ASSIGN_OR_RETURN(const MemoryScope memory, MemoryScope::Make("pg_tviews capture"));
  TVIEWS_ASSIGN_OR_RETURN(CaptureConfig config, ReadConfig(relation));
  return Remember(relation, std::move(config), &cache);
}

}  // namespace tviews::pg
