// What the extension's tables say about TVIEWs: read here, by SQL under the latest snapshot.
//
// Layer:   backend
// Sharing: private to one process; tables
// Errors:  returns Status
//
// For DDL and functions, where a statement costs nothing that counts. Questions on the path of
// every statement are answered by the caches of shared/pg/tables/catalog.h.

#ifndef PG_TVIEWS_BACKEND_TVIEW_FACTS_H_
#define PG_TVIEWS_BACKEND_TVIEW_FACTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/pg/boundary/spi.h"
#include "shared/tview_definition.h"
#include "shared/types.h"

namespace tviews::backend {

// The first column of `result`.
std::vector<RelationId> RelationIds(const pg::SqlResult& result);

// What is needed to read a TVIEW and its query.
struct TviewFacts {
  RelationId relation = 0;
  RelationId backing_view = 0;
  std::string entity;
  std::vector<RelationId> dependencies;
  std::string table;                     // quoted and qualified
  std::string view;                      // quoted and qualified
  std::vector<std::string> key_columns;  // not quoted
  RoleId owner = 0;
  DefinitionSettings settings;  // what the query runs with
  std::string options;          // members of a JSON object
};

absl::StatusOr<TviewFacts> ReadTviewFacts(RelationId tview);

// The names of the columns of the key of `tview`, as its metadata say.
absl::StatusOr<std::vector<std::string>> KeyColumnsOf(RelationId tview);

// The TVIEWs with what they read, as far as a search for cycles needs it: directly, or step by step
// with the plain views in between as if they were TVIEWs.
absl::StatusOr<std::vector<TviewDefinition>> ReadDependencies();
absl::StatusOr<std::vector<TviewDefinition>> ReadDependenciesThroughViews();

// The source tables of `tview`, its own and those of TVIEWs that it reads, without TVIEWs.
absl::StatusOr<std::vector<RelationId>> SourceTables(RelationId tview);

// The plain views that the backing view of `tview` reads.
absl::StatusOr<std::vector<RelationId>> NestedViews(RelationId tview);

// The TVIEWs that read `relation`, an ancestor or an inheritor of it, directly or through views.
absl::StatusOr<std::vector<RelationId>> ReadersOf(RelationId relation);

// The TVIEWs that read whole rows of `relation`, an ancestor or an inheritor of it: a change of the
// columns changes their documents.
absl::StatusOr<std::vector<RelationId>> ReadersOfWholeRows(RelationId relation);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_FACTS_H_
