#include "shared/pg/tables/catalog.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/pg/tables/columns.h"
#include "shared/pg/tables/relation_watch.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/relation.h>
#include <access/table.h>
#include <access/transam.h>
#include <access/xlog.h>
#include <catalog/dependency.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <catalog/pg_extension.h>
#include <commands/extension.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/inval.h>
#include <utils/jsonb.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/xid8.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

constexpr char kPrivateSchema[] = "tviews_internal";

struct TableName {
  const char* name;
  bool is_private = false;  // in kPrivateSchema; version 0.1.0 has it in the extension's schema
};

// In the order of CatalogTable.
constexpr TableName kTableNames[] = {
    {"pg_tview_meta"},
    {"pg_tview_lineage"},
    {"pg_tview_outbox", true},
    {"pg_tview_frontier"},
    {"pg_tview_dead_letter", true},
    {"pg_tview_performance_log"},
    {"pg_tview_behind"},
    {"pg_tview_owed", true},
    {"pg_tview_feed", true},
    {"pg_tview_feed_position", true},
    {"pg_tview_feed_horizon"},
    {"pg_tview_audit_log", true},
    {"pg_tview_fill", true},
    {"pg_tview_lane_owed", true},
    {"pg_tview_feed_consumer", true},
    {"pg_tview_group_state", true},
    {"pg_tview_group_built", true},
    {"pg_tview_group_source", true},
    {"pg_tview_replacement", true},
};
constexpr std::size_t kTableCount = sizeof(kTableNames) / sizeof(kTableNames[0]);
static_assert(kTableCount == static_cast<std::size_t>(CatalogTable::kReplacement) + 1);

// Raised by the invalidation callback; each cache remembers the generation it was built at.
std::uint64_t generation = 1;
std::uint64_t changes = 0;
// Kept after its cache is stale, so that the callback recognises the table's invalidation.
Oid meta_table = InvalidOid;

struct Installation {
  std::uint64_t generation = 0;
  Oid schema = InvalidOid;
  Oid tables[kTableCount] = {};

  bool is_complete() const {
    for (Oid table : tables) {
      if (table == InvalidOid) return false;
    }
    return true;
  }
};

struct Tviews {
  std::uint64_t generation = 0;
  bool has_unsettled = false;
  bool has_unpopulated = false;
  FullXid last_exchange = 0;
  std::vector<std::string> other_lanes;
  absl::flat_hash_map<RelationId, TviewState> state_of;
  absl::flat_hash_map<RelationId, RelationId> tview_of;
};

Installation installation;

Tviews& CachedTviews() {
  static NoDestructor<Tviews> tviews;
  return *tviews;
}

// CREATE and DROP EXTENSION invalidate pg_extension (see InvalidateInstallation).
void OnRelcacheInvalidation(Datum, Oid relation) {
  if (relation != InvalidOid && relation != ExtensionRelationId && relation != meta_table) return;
  ++generation;
  if (!IsPretended(relation)) ++changes;
}

// The server's own get_extension_schema is not exported before 16.
Oid SchemaOfExtension(Oid extension) {
  Relation table = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(extension));
  SysScanDesc scan = systable_beginscan(table, ExtensionOidIndexId, true, nullptr, 1, &key);
  HeapTuple row = systable_getnext(scan);
  const Oid schema = HeapTupleIsValid(row)
                         ? reinterpret_cast<Form_pg_extension>(GETSTRUCT(row))->extnamespace
                         : InvalidOid;
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return schema;
}

// Only a member of the extension: anybody who may create in a schema can take a name there that the
// extension has not taken yet.
Oid FindMember(const char* name, Oid schema, Oid extension) {
  const Oid relation = get_relname_relid(name, schema);
  if (relation == InvalidOid) return InvalidOid;
  return getExtensionOfObject(RelationRelationId, relation) == extension ? relation : InvalidOid;
}

Oid FindTable(const TableName& table, Oid schema, Oid extension) {
  Oid found = InvalidOid;
  if (table.is_private) {
    const Oid private_schema = get_namespace_oid(kPrivateSchema, true);
    if (private_schema != InvalidOid) found = FindMember(table.name, private_schema, extension);
  }
  return found != InvalidOid ? found : FindMember(table.name, schema, extension);
}

// While the install script runs, the tables are not all there; such an answer is not kept.
absl::StatusOr<Installation> FindInstallation() {
  if (installation.generation == generation) return installation;
  Installation found;
  found.generation = generation;
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    const Oid extension = get_extension_oid("pg_tviews", true);
    if (extension == InvalidOid) return;
    found.schema = SchemaOfExtension(extension);
    for (std::size_t i = 0; i < kTableCount; ++i) {
      found.tables[i] = FindTable(kTableNames[i], found.schema, extension);
    }
  }));
  if (found.schema == InvalidOid || found.is_complete()) installation = found;
  meta_table = found.tables[static_cast<std::size_t>(CatalogTable::kMeta)];
  return found;
}

absl::Status NotInstalled() {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.message = "extension \"pg_tviews\" is not installed in this database",
                    .hint = "Run CREATE EXTENSION pg_tviews."});
}

struct TviewRow {
  Oid tview;
  TviewState state;
};

// 0 in version 0.1.0.
AttributeNumber ExchangeColumn(TupleDesc columns) {
  for (int i = 0; i < columns->natts; ++i) {
    const FormData_pg_attribute* const column = TupleDescAttr(columns, i);
    if (!column->attisdropped && std::strcmp(NameStr(column->attname), "exchanged_by") == 0) {
      return column->attnum;
    }
  }
  return 0;
}

// Leaves it as it is where the options name none. What is no name, a label has brought.
void ReadLane(Datum options, char* lane) {
  JsonbValue found;
  const JsonbValue* const value =
      getKeyJsonValueFromContainer(&DatumGetJsonbP(options)->root, "lane", 4, &found);
  if (value == nullptr || value->type != jbvString) return;
  const std::string_view name(value->val.string.val, value->val.string.len);
  if (!IsLaneName(name)) return;
  std::memcpy(lane, name.data(), name.size());
  lane[name.size()] = '\0';
}

TviewRow ReadMetaRow(HeapTuple row, TupleDesc columns, AttributeNumber exchange) {
  bool is_null = false;
  TviewRow read{};
  read.tview = DatumGetObjectId(heap_getattr(row, MetaColumn::kTview, columns, &is_null));
  read.state.backing_view =
      DatumGetObjectId(heap_getattr(row, MetaColumn::kBackingView, columns, &is_null));
  const Datum state = heap_getattr(row, MetaColumn::kState, columns, &is_null);
  read.state.is_quarantined = std::strcmp(TextDatumGetCString(state), "quarantined") == 0;
  const Datum creator = heap_getattr(row, MetaColumn::kFillCreator, columns, &is_null);
  if (!is_null) read.state.creator = U64FromFullTransactionId(DatumGetFullTransactionId(creator));
  const Datum system = heap_getattr(row, MetaColumn::kSystemIdentifier, columns, &is_null);
  const Datum database = heap_getattr(row, MetaColumn::kDatabaseOid, columns, &is_null);
  read.state.is_adopted =
      static_cast<std::uint64_t>(DatumGetInt64(system)) == GetSystemIdentifier() &&
      DatumGetObjectId(database) == MyDatabaseId;
  const Datum options = heap_getattr(row, MetaColumn::kOptions, columns, &is_null);
  if (!is_null) ReadLane(options, read.state.lane);
  if (exchange == 0) return read;
  const Datum exchanged_by = heap_getattr(row, exchange, columns, &is_null);
  if (!is_null && read.state.is_adopted) {
    read.state.exchanged_by = U64FromFullTransactionId(DatumGetFullTransactionId(exchanged_by));
  }
  return read;
}

// The rows of pg_tview_meta under the latest snapshot, as plain data in the current context. False
// if DROP EXTENSION took the table away since it was looked up: any session may read at that
// moment.
bool ReadMeta(Oid meta, TviewRow** rows, std::size_t* count) {
  Relation table = try_relation_open(meta, AccessShareLock);
  if (table == nullptr) return false;
  std::size_t room = 64;
  *rows = static_cast<TviewRow*>(palloc(room * sizeof(TviewRow)));
  *count = 0;
  const AttributeNumber exchange = ExchangeColumn(RelationGetDescr(table));
  SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  for (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row);
       row = systable_getnext(scan)) {
    if (*count == room) {
      room *= 2;
      *rows = static_cast<TviewRow*>(repalloc(*rows, room * sizeof(TviewRow)));
    }
    (*rows)[(*count)++] = ReadMetaRow(row, RelationGetDescr(table), exchange);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return true;
}

struct FillRow {
  Oid tview;
  FullXid completed_by;  // 0: nobody yet
};

// The same for pg_tview_fill; no rows where there is no such table.
void ReadFills(Oid fill, FillRow** rows, std::size_t* count) {
  *count = 0;
  Relation table = OidIsValid(fill) ? try_relation_open(fill, AccessShareLock) : nullptr;
  if (table == nullptr) return;
  std::size_t room = 16;
  *rows = static_cast<FillRow*>(palloc(room * sizeof(FillRow)));
  TupleDesc const columns = RelationGetDescr(table);
  SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  for (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row);
       row = systable_getnext(scan)) {
    if (*count == room) {
      room *= 2;
      *rows = static_cast<FillRow*>(repalloc(*rows, room * sizeof(FillRow)));
    }
    bool is_null = false;
    FillRow& read = (*rows)[(*count)++];
    read.tview = DatumGetObjectId(heap_getattr(row, FillColumn::kTview, columns, &is_null));
    const Datum xid = heap_getattr(row, FillColumn::kCompletedBy, columns, &is_null);
    read.completed_by = is_null ? 0 : U64FromFullTransactionId(DatumGetFullTransactionId(xid));
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
}

// Of one that has come from another database with its row, the fill begins again after adoption.
void NoteFill(const FillRow& fill, TviewState* state) {
  if (fill.completed_by == 0) {
    state->is_unpopulated = true;
  } else if (state->is_adopted) {
    state->exchanged_by = std::max(state->exchanged_by, fill.completed_by);
  }
}

absl::Status RefreshTviews() {
  Tviews& tviews = CachedTviews();
  if (tviews.generation == generation) {
    cache_stats::Hit(CacheKind::kTable);
    return absl::OkStatus();
  }
  cache_stats::Miss(CacheKind::kTable);
  std::uint64_t built_at = 0;
  Installation found;
  TviewRow* rows = nullptr;
  std::size_t count = 0;
  FillRow* fills = nullptr;
  std::size_t fill_count = 0;
  for (bool is_read = false; !is_read;) {
    // Taken first: an invalidation that arrives while reading makes the result stale.
    built_at = generation;
    TVIEWS_ASSIGN_OR_RETURN(found, FindInstallation());
    const Oid meta = found.tables[static_cast<std::size_t>(CatalogTable::kMeta)];
    if (meta == InvalidOid) break;
    const Oid fill = found.tables[static_cast<std::size_t>(CatalogTable::kFill)];
    TVIEWS_ASSIGN_OR_RETURN(is_read, CallFor([&] {
                              if (!ReadMeta(meta, &rows, &count)) return false;
                              ReadFills(fill, &fills, &fill_count);
                              return true;
                            }));
    if (!is_read) ++generation;  // and look for the extension again
  }
  std::set<std::string> lanes;
  tviews.has_unsettled = false;
  tviews.has_unpopulated = false;
  tviews.last_exchange = 0;
  tviews.state_of.clear();
  tviews.tview_of.clear();
  for (std::size_t i = 0; i < count; ++i) {
    tviews.state_of[rows[i].tview] = rows[i].state;
    tviews.tview_of[rows[i].state.backing_view] = rows[i].tview;
    const TviewState& state = rows[i].state;
    tviews.has_unsettled = tviews.has_unsettled || state.creator != 0 || !state.is_adopted;
  }
  for (std::size_t i = 0; i < fill_count; ++i) {
    const auto filled = tviews.state_of.find(fills[i].tview);
    if (filled != tviews.state_of.end()) NoteFill(fills[i], &filled->second);
  }
  for (const auto& [tview, state] : tviews.state_of) {
    tviews.has_unpopulated = tviews.has_unpopulated || state.is_unpopulated;
    tviews.last_exchange = std::max(tviews.last_exchange, state.exchanged_by);
    if (std::strcmp(state.lane, kMainLane) != 0) lanes.insert(state.lane);
  }
  tviews.other_lanes.assign(lanes.begin(), lanes.end());
  if (rows != nullptr) pfree(rows);
  if (fills != nullptr) pfree(fills);
  const bool keep = found.schema == InvalidOid || found.is_complete();
  tviews.generation = keep ? built_at : 0;
  // Two maps of pairs, half full.
  cache_stats::SetSize(CacheKind::kTable, tviews.tview_of.size(),
                       tviews.tview_of.size() * 4 * (sizeof(RelationId) * 2 + 1));
  return absl::OkStatus();
}

}  // namespace

void InitializeCatalog() { CacheRegisterRelcacheCallback(OnRelcacheInvalidation, 0); }

absl::StatusOr<Oid32> ExtensionSchema() {
  TVIEWS_ASSIGN_OR_RETURN(const Installation found, FindInstallation());
  return found.schema;
}

absl::StatusOr<std::string> ExtensionSchemaName() {
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, ExtensionSchema());
  const char* name = nullptr;
  // The cached one may have been dropped a moment ago.
  if (schema != InvalidOid)
    TVIEWS_RETURN_IF_ERROR(Call([&] { name = get_namespace_name(schema); }));
  if (name == nullptr) return NotInstalled();
  return std::string(name);
}

absl::StatusOr<std::string> QualifiedTable(CatalogTable table) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId id, CatalogTableId(table));
  const char* schema = nullptr;
  // The cached one may have been dropped a moment ago.
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    const Oid found = get_rel_namespace(id);
    if (found != InvalidOid) schema = get_namespace_name(found);
  }));
  if (schema == nullptr) return NotInstalled();
  return QuoteQualified(schema, kTableNames[static_cast<std::size_t>(table)].name);
}

absl::StatusOr<bool> HasCatalogTable(CatalogTable table) {
  TVIEWS_ASSIGN_OR_RETURN(const Installation found, FindInstallation());
  return found.tables[static_cast<std::size_t>(table)] != InvalidOid;
}

absl::StatusOr<bool> IsCatalogTable(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const Installation found, FindInstallation());
  if (relation == InvalidOid) return false;
  for (const Oid table : found.tables) {
    if (table == relation) return true;
  }
  return false;
}

absl::StatusOr<RelationId> CatalogTableId(CatalogTable table) {
  TVIEWS_ASSIGN_OR_RETURN(const Installation found, FindInstallation());
  const Oid id = found.tables[static_cast<std::size_t>(table)];
  if (id == InvalidOid) return NotInstalled();
  return id;
}

std::uint64_t CatalogGeneration() { return generation; }

std::uint64_t CatalogChanges() { return changes; }

absl::Status InvalidateCatalog() {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, CatalogTableId(CatalogTable::kMeta));
  ++generation;
  return Call([&] { CacheInvalidateRelcacheByRelid(meta); });
}

absl::Status InvalidateInstallation() {
  ++generation;
  return Call([] { CacheInvalidateRelcacheByRelid(ExtensionRelationId); });
}

absl::StatusOr<bool> HasTviews() {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  return !CachedTviews().state_of.empty();
}

absl::StatusOr<bool> IsTview(RelationId relation) {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  return CachedTviews().state_of.contains(relation);
}

absl::StatusOr<std::optional<TviewState>> StateOfTview(RelationId relation) {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  const auto& state_of = CachedTviews().state_of;
  const auto found = state_of.find(relation);
  if (found == state_of.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::vector<std::string>> OtherLanes() {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  return CachedTviews().other_lanes;
}

bool MayHaveUnsettledTviews() {
  const Tviews& tviews = CachedTviews();
  return tviews.generation != generation || tviews.has_unsettled;
}

bool MayHaveExchanges() {
  const Tviews& tviews = CachedTviews();
  return tviews.generation != generation || tviews.last_exchange != 0;
}

bool MayHaveUnpopulatedTviews() {
  const Tviews& tviews = CachedTviews();
  return tviews.generation != generation || tviews.has_unpopulated;
}

absl::StatusOr<FullXid> LastExchange() {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  return CachedTviews().last_exchange;
}

void SettleExchanges() { CachedTviews().last_exchange = 0; }

absl::StatusOr<RelationId> TviewOfBackingView(RelationId view) {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  const auto& tview_of = CachedTviews().tview_of;
  const auto found = tview_of.find(view);
  return found == tview_of.end() ? RelationId{0} : found->second;
}

absl::Status ForEachTview(absl::FunctionRef<absl::Status(RelationId, RelationId)> visit) {
  TVIEWS_RETURN_IF_ERROR(RefreshTviews());
  const auto tviews = CachedTviews().state_of;  // a copy: `visit` may refresh the cache
  for (const auto& [tview, state] : tviews) {
    TVIEWS_RETURN_IF_ERROR(visit(tview, state.backing_view));
  }
  return absl::OkStatus();
}

}  // namespace tviews::pg
