// The extension's own tables: where they are, and which relations are TVIEWs.
//
// Layer:   pg
// Sharing: private to one process; caches follow relcache invalidation
// Errors:  returns Status; IsTview answers false where the extension is not installed
//
// Metadata is read by catalog-style scans under the latest snapshot, never by SPI under the
// transaction's (ATTACKS A6). Whoever writes pg_tview_meta or pg_tview_lineage calls
// InvalidateCatalog in the same transaction; at its commit every backend's generation moves on.

#ifndef PG_TVIEWS_SHARED_PG_TABLES_CATALOG_H_
#define PG_TVIEWS_SHARED_PG_TABLES_CATALOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/lane.h"
#include "shared/types.h"

namespace tviews::pg {

enum class CatalogTable {
  kMeta,
  kLineage,
  kOutbox,
  kFrontier,
  kDeadLetter,
  kPerformanceLog,
  kBehind,
  kOwed,
  kFeed,
  kFeedPosition,  // a sequence
  kFeedHorizon,
  kAuditLog,
  kFill,
  kLaneOwed,
  kFeedConsumer,
  kGroupState,
  kGroupBuilt,
  kGroupSource,
  kReplacement
};

// Registers the invalidation callback. Called once, from _PG_init.
void InitializeCatalog();

// The schema the extension lives in; 0 if this database does not have it.
absl::StatusOr<Oid32> ExtensionSchema();

// Its name, unquoted; FailedPrecondition if the extension is not installed, also where it has been
// dropped a moment ago.
absl::StatusOr<std::string> ExtensionSchemaName();

// False for a table that the installed version of the extension does not have.
absl::StatusOr<bool> HasCatalogTable(CatalogTable table);

// True if `relation` is a table of the extension, from a cache.
absl::StatusOr<bool> IsCatalogTable(RelationId relation);

// OID of a table of the extension; FailedPrecondition if the extension is not installed.
absl::StatusOr<RelationId> CatalogTableId(CatalogTable table);

// The table's name for SQL: schema-qualified and quoted. Errors as of ExtensionSchemaName.
absl::StatusOr<std::string> QualifiedTable(CatalogTable table);

// Moves on whenever metadata may have changed: creation, change or drop of a TVIEW, of the
// extension, or a reset of all caches. Caches built at one generation are stale at another.
std::uint64_t CatalogGeneration();

// The same without what debug_discard_caches pretends.
std::uint64_t CatalogChanges();

// Makes every backend's generation move on when the current transaction commits, and this one's
// now.
absl::Status InvalidateCatalog();

// The same after CREATE, ALTER or DROP EXTENSION, also for backends that know of no extension yet.
absl::Status InvalidateInstallation();

// True if the database has a TVIEW, from a cache.
absl::StatusOr<bool> HasTviews();

// True if `relation` is a TVIEW, from a cache.
absl::StatusOr<bool> IsTview(RelationId relation);

// What a reader of a TVIEW has to know besides what it waits for.
struct TviewState {
  RelationId backing_view = 0;
  bool is_quarantined = false;
  // False for one that waits to be adopted: its metadata is another database's, or a restore has
  // disowned it. It does not follow its sources.
  bool is_adopted = false;
  FullXid creator = 0;  // of a TVIEW that no batch has covered yet; 0 for any other
  // Who has written all rows anew: snapshots that do not see it would find the table empty.
  FullXid exchanged_by = 0;
  // It was created without data, and is not filled yet.
  bool is_unpopulated = false;
  char lane[kLaneRoom] = "main";
};

// The state of TVIEW `relation`, from a cache; nullopt for another relation.
absl::StatusOr<std::optional<TviewState>> StateOfTview(RelationId relation);

// The lanes of the database's TVIEWs, without the main one, sorted; from a cache.
absl::StatusOr<std::vector<std::string>> OtherLanes();

// False if this session knows that no TVIEW is new (TviewState::creator) or waits to be adopted. No
// more than two comparisons.
bool MayHaveUnsettledTviews();

// False if this session knows that every snapshot sees who has exchanged the rows of a TVIEW
// (TviewState::exchanged_by). No more than two comparisons.
bool MayHaveExchanges();

// False if this session knows that every TVIEW is filled (TviewState::is_unpopulated). No more than
// two comparisons.
bool MayHaveUnpopulatedTviews();

// The last of those that have; asked for where MayHaveExchanges. 0 if there are none.
absl::StatusOr<FullXid> LastExchange();

// Every snapshot that this process has, or will have, sees LastExchange.
void SettleExchanges();

// The TVIEW whose backing view is `view`, or 0.
absl::StatusOr<RelationId> TviewOfBackingView(RelationId view);

// Calls `visit(tview, backing_view)` for every TVIEW.
absl::Status ForEachTview(absl::FunctionRef<absl::Status(RelationId, RelationId)> visit);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_TABLES_CATALOG_H_
