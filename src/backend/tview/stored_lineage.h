// The lineage of a TVIEW: derived at creation, and again after DDL on what it reads.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status
//
// Lookups hold names, and the analysis relies on constraints and on the queries of nested views.
// After DDL on one of these the lineage is derived again from the backing view's rule. Where it
// captures other columns than before, the sources are locked as at creation, so that no writer is
// left that captures what was needed before.

#ifndef PG_TVIEWS_BACKEND_TVIEW_STORED_LINEAGE_H_
#define PG_TVIEWS_BACKEND_TVIEW_STORED_LINEAGE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/lineage/query_analysis.h"
#include "shared/types.h"

struct Query;

namespace tviews::backend {

// Analyses `tree`, whose output columns `key` identify a row, and checks that its sources may be
// sources for the current user; see CheckSources for `former`.
absl::StatusOr<Analysis> DeriveLineage(const Query* tree, const std::vector<AttributeNumber>& key,
                                       const AnalysisOptions& options,
                                       const std::vector<RelationId>& former = {});

// The analysis of the query of `view`, whose columns `key_columns` identify a row.
absl::StatusOr<Analysis> AnalyzeView(RelationId view, const std::vector<std::string>& key_columns,
                                     const AnalysisOptions& options,
                                     const std::vector<RelationId>& former = {});

// Fails if TVIEWs read each other.
absl::Status CheckForCycles();

std::vector<RelationId> SourcesOf(const Analysis& analysis);

// Makes `view`, a backing view, depend on the functions that its query calls by whatever way and on
// what they read: the server records such dependencies for what a query names only.
absl::Status DependOnFunctions(RelationId view, const Analysis& analysis);

// Installs the capture triggers on those of `sources` that are no TVIEWs.
absl::Status CaptureSources(const std::vector<SourceLineage>& sources);

// The analysis of the query of `tview` as it is now, made as its owner. Changes nothing.
absl::StatusOr<Analysis> AnalyzeTview(RelationId tview);

// The same for another query, whose output columns `key` are the key.
absl::StatusOr<Analysis> AnalyzeFor(RelationId tview, const Query* tree,
                                    const std::vector<AttributeNumber>& key);

// The batch that sees this transaction compares every row of `tview` with its query.
absl::Status NoteTview(RelationId tview);

// The sources of `tview` that no TVIEW reads any more once it reads `sources` instead, as far as is
// known before they are locked.
absl::StatusOr<std::vector<RelationId>> SourcesReleasedBy(RelationId tview,
                                                          const std::vector<RelationId>& sources);

// Derives the lineage of `tview` again and stores it. Fails if TVIEWs would read each other.
absl::Status RederiveLineage(RelationId tview);

// The same for a restore, whose workers change several sources of one TVIEW at a time: deriving its
// lineage must not wait for the others' tables, nor fail their statements. Where it would, the
// TVIEW is left to be adopted again by the applier (tview/adopt.h).
absl::Status RederiveOrDisown(RelationId tview);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_STORED_LINEAGE_H_
