#include "backend/tview/stored_lineage.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "backend/capture/transaction.h"
#include "backend/capture/trigger_installation.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/facts.h"
#include "backend/tview/function_reads.h"
#include "backend/tview/group_states.h"
#include "backend/tview/label.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/online_fill.h"
#include "shared/dependency_graph.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/pg_class.h>
#include <catalog/pg_proc.h>
#include <nodes/parsenodes.h>
#include <rewrite/rewriteHandler.h>
#include <storage/lmgr.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// The query of a view, as a copy in the current memory context.
absl::StatusOr<const Query*> ViewQuery(RelationId view) {
  return pg::CallFor([&]() -> const Query* {
    Relation relation = table_open(view, AccessShareLock);
    const Query* const query = static_cast<Query*>(copyObjectImpl(get_view_query(relation)));
    table_close(relation, NoLock);
    return query;
  });
}

absl::StatusOr<Analysis> DeriveAsOwner(const TviewFacts& tview) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_ASSIGN_OR_RETURN(const AnalysisOptions options, AnalysisOptionsOf(tview.options));
  return AnalyzeView(tview.backing_view, tview.key_columns, options, tview.dependencies);
}

// Everything that deriving the lineage of `tview` reads.
absl::Status LockForReadingNoWait(const TviewFacts& tview) {
  std::vector<RelationId> relations = {tview.relation, tview.backing_view};
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> views, NestedViews(tview.relation));
  relations.insert(relations.end(), views.begin(), views.end());
  relations.insert(relations.end(), tview.dependencies.begin(), tview.dependencies.end());
  for (const RelationId relation : relations) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_locked, pg::CallFor([relation] {
                              return ConditionalLockRelationOid(relation, AccessShareLock);
                            }));
    if (is_locked) continue;
    return pg::MakeError(
        absl::StatusCode::kUnavailable,
        {.message = "a relation is locked by another session", .sqlstate = "55P03"});
  }
  return absl::OkStatus();
}

// False if a transaction that dropped `tview` has committed; waits for one that is about to.
absl::StatusOr<bool> LockTview(RelationId tview) {
  return pg::CallFor([&] {
    LockRelationOid(tview, AccessShareLock);
    return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(tview));
  });
}

}  // namespace

absl::StatusOr<Analysis> DeriveLineage(const Query* tree, const std::vector<AttributeNumber>& key,
                                       const AnalysisOptions& options,
                                       const std::vector<RelationId>& former) {
  TVIEWS_ASSIGN_OR_RETURN(Analysis analysis, AnalyzeQuery(tree, key, options, pg::IsTview));
  TVIEWS_RETURN_IF_ERROR(CheckSources(SourcesOf(analysis), former));
  TVIEWS_RETURN_IF_ERROR(CheckRowSecurityBehind(analysis.nested_views));
  return analysis;
}

absl::StatusOr<Analysis> AnalyzeView(RelationId view, const std::vector<std::string>& key_columns,
                                     const AnalysisOptions& options,
                                     const std::vector<RelationId>& former) {
  TVIEWS_ASSIGN_OR_RETURN(const Query* const query, ViewQuery(view));
  std::vector<AttributeNumber> key;
  for (const std::string& column : key_columns) {
    TVIEWS_ASSIGN_OR_RETURN(key.emplace_back(),
                            pg::CallFor([&] { return get_attnum(view, column.c_str()); }));
    if (key.back() > 0) continue;
    // Both come from metadata, which a superuser can write.
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(view));
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "view " + name + " has no column \"" + column + "\"",
                          .detail = "The metadata say that it is the key of the TVIEW.",
                          .sqlstate = "42703"});
  }
  return DeriveLineage(query, key, options, former);
}

std::vector<RelationId> SourcesOf(const Analysis& analysis) {
  std::vector<RelationId> sources;
  for (const SourceLineage& source : analysis.sources) sources.push_back(source.source);
  return sources;
}

absl::Status DependOnFunctions(RelationId view, const Analysis& analysis) {
  std::vector<RelationId> relations;
  if (analysis.functions_read) {
    relations = SourcesOf(analysis);
    relations.insert(relations.end(), analysis.nested_views.begin(), analysis.nested_views.end());
  }
  return pg::Call([&] {
    const ObjectAddress dependent = {RelationRelationId, view, 0};
    for (const Oid of : {ProcedureRelationId, RelationRelationId}) {
      deleteDependencyRecordsForClass(RelationRelationId, view, of, DEPENDENCY_NORMAL);
    }
    for (const Oid32 function : analysis.functions) {
      const ObjectAddress referenced = {ProcedureRelationId, function, 0};
      recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
    }
    for (const RelationId relation : relations) {
      const ObjectAddress referenced = {RelationRelationId, relation, 0};
      recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
    }
    CommandCounterIncrement();
  });
}

absl::Status CaptureSources(const std::vector<SourceLineage>& sources) {
  for (const SourceLineage& source : sources) {
    if (source.source_is_tview) continue;
    TVIEWS_RETURN_IF_ERROR(InstallCaptureTriggers(source.source));
  }
  return absl::OkStatus();
}

absl::StatusOr<Analysis> AnalyzeTview(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  return DeriveAsOwner(facts);
}

absl::StatusOr<Analysis> AnalyzeFor(RelationId tview, const Query* tree,
                                    const std::vector<AttributeNumber>& key) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(const AnalysisOptions options, AnalysisOptionsOf(facts.options));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(facts.owner, facts.settings));
  return DeriveLineage(tree, key, options, facts.dependencies);
}

absl::Status CheckForCycles() {
  TVIEWS_ASSIGN_OR_RETURN(std::vector<TviewDefinition> tviews, ReadDependencies());
  const absl::Status status = DependencyGraph::Build(std::move(tviews)).status();
  if (status.ok()) return status;
  // Once more, for an error that names the plain views on the way.
  TVIEWS_ASSIGN_OR_RETURN(tviews, ReadDependenciesThroughViews());
  TVIEWS_RETURN_IF_ERROR(DependencyGraph::Build(std::move(tviews)).status());
  return status;
}

absl::Status NoteTview(RelationId tview) { return TransactionBuffer::Instance().MarkWhole(tview); }

namespace {

using Sources = std::vector<RelationId>;

Sources Without(Sources relations, const Sources& others) {
  std::erase_if(relations, [&](RelationId relation) {
    return std::find(others.begin(), others.end(), relation) != others.end();
  });
  return relations;
}

// Those of `relations` that no TVIEW but `tview` reads, as far as is known before they are locked.
absl::StatusOr<Sources> ReadByNobodyElse(const Sources& relations, RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string lineage, ExtensionObject("pg_tview_lineage"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT DISTINCT source::pg_catalog.oid FROM " + lineage +
                               " WHERE tview::pg_catalog.oid OPERATOR(pg_catalog.<>)"
                               " $1::pg_catalog.oid",
                           {std::to_string(tview)}));
  return Without(relations, RelationIds(found));
}

// `lock` makes sources that are captured in another way ours, and former ones nobody's.
absl::Status Rederive(
    RelationId tview,
    absl::FunctionRef<absl::Status(const Sources& sources, const Sources& former)> lock) {
  TVIEWS_ASSIGN_OR_RETURN(const bool exists, LockTview(tview));
  if (!exists) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis, DeriveAsOwner(facts));
  TVIEWS_ASSIGN_OR_RETURN(const CaptureShape stored, StoredCaptureShape(tview));
  const bool is_same = CapturesAll(stored, CaptureShapeOf(analysis.sources));
  const Sources sources = SourcesOf(analysis);
  const Sources former = Without(facts.dependencies, sources);
  if (!is_same) {
    TVIEWS_RETURN_IF_ERROR(CheckSourcesPopulated(tview, analysis));
    TVIEWS_ASSIGN_OR_RETURN(const Sources released, SourcesReleasedBy(tview, sources));
    TVIEWS_RETURN_IF_ERROR(lock(sources, released));
  }
  TVIEWS_RETURN_IF_ERROR(ReplaceLineage(tview, analysis));
  TVIEWS_RETURN_IF_ERROR(DependOnFunctions(facts.backing_view, analysis));
  TVIEWS_RETURN_IF_ERROR(WriteLabel(tview));
  TVIEWS_RETURN_IF_ERROR(SyncGroupStates(tview).status());
  if (is_same) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(CheckForCycles());
  TVIEWS_RETURN_IF_ERROR(CaptureSources(analysis.sources));
  return RemoveUnneededCaptureTriggers({former.begin(), former.end()});
}

}  // namespace

absl::StatusOr<std::vector<RelationId>> SourcesReleasedBy(RelationId tview,
                                                          const std::vector<RelationId>& sources) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  return ReadByNobodyElse(Without(facts.dependencies, sources), tview);
}

absl::Status RederiveLineage(RelationId tview) { return Rederive(tview, LockSources); }

absl::Status RederiveOrDisown(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
  if (state.has_value() && !state->is_adopted) return Disown(tview);
  const absl::Status status = pg::RunSubtransaction([tview]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
    TVIEWS_RETURN_IF_ERROR(LockForReadingNoWait(facts));
    return Rederive(tview, LockSourcesNoWait);
  });
  if (status.ok() || pg::HasSqlState(status, "57014")) return status;
  return Disown(tview);
}

}  // namespace tviews::backend
