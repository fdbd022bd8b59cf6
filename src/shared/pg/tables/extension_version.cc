#include "shared/pg/tables/extension_version.h"

#include <cstdint>

#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"
#include "shared/version.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/pg_extension.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

struct Installed {
  std::uint64_t generation = 0;
  std::string version;  // empty: not installed
};

// pg_extension.extversion as of now; null without the extension.
char* ReadVersion() {
  Relation table = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum("pg_tviews"));
  SysScanDesc scan = systable_beginscan(table, ExtensionNameIndexId, true, nullptr, 1, &key);
  char* version = nullptr;
  if (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row)) {
    bool is_null = false;
    const Datum value =
        heap_getattr(row, Anum_pg_extension_extversion, RelationGetDescr(table), &is_null);
    if (!is_null) version = TextDatumGetCString(value);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return version;
}

absl::StatusOr<std::string> InstalledVersion() {
  static NoDestructor<Installed> installed;
  if (installed->generation == CatalogGeneration()) return installed->version;
  // Taken first: an invalidation that arrives while reading makes the answer stale.
  const std::uint64_t read_at = CatalogGeneration();
  TVIEWS_ASSIGN_OR_RETURN(const char* version, CallFor([] { return ReadVersion(); }));
  installed->version = version != nullptr ? version : "";
  installed->generation = read_at;
  return installed->version;
}

absl::Status LibraryIsTooOld(const std::string& version) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.message = "version " + version +
                               " of extension \"pg_tviews\" needs a newer library than the one "
                               "that is loaded",
                    .detail = "The loaded library is of version " TVIEWS_VERSION ".",
                    .hint = "Install the library of that version and restart the server."});
}

}  // namespace

absl::Status CheckVersion() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string version, InstalledVersion());
  if (version.empty() || version == TVIEWS_VERSION) return absl::OkStatus();
  if (CompareVersions(version, TVIEWS_VERSION) > 0) return LibraryIsTooOld(version);
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = "extension \"pg_tviews\" is still at version " + version + " in this database",
       .detail = "The loaded library is of version " TVIEWS_VERSION
                 ". Changes are noted and will be applied after the update.",
       .hint = "Run ALTER EXTENSION pg_tviews UPDATE."});
}

absl::Status CheckTargetVersion(const std::string& version) {
  return CompareVersions(version, TVIEWS_VERSION) > 0 ? LibraryIsTooOld(version) : absl::OkStatus();
}

}  // namespace tviews::pg
