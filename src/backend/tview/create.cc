#include "backend/tview/create.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>

#include "backend/ddl/audit_log.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/change_cost.h"
#include "backend/tview/column_upkeep.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/fill.h"
#include "backend/tview/function_reads.h"
#include "backend/tview/group_states.h"
#include "backend/tview/lanes.h"
#include "backend/tview/metadata.h"
#include "backend/tview/online_fill.h"
#include "backend/tview/report.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/definition_clock.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/tables/graph_loader.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// Room on each page for a new version of every row: a batch that changes all of them stays HOT.
constexpr char kDefaultFillfactor[] = "fillfactor = 50";

absl::Status Run(const std::string& sql) { return pg::ExecuteCommand(sql); }

absl::StatusOr<RelationId> FindRelation(const std::string& schema, const std::string& name) {
  return pg::CallFor([&]() -> RelationId {
    const Oid id = get_namespace_oid(schema.c_str(), false);
    return get_relname_relid(name.c_str(), id);
  });
}

absl::Status CheckNamesAreFree(const TviewName& name) {
  for (const std::string& relation : {name.table, name.view}) {
    TVIEWS_ASSIGN_OR_RETURN(const RelationId existing, FindRelation(name.schema, relation));
    if (existing == 0) continue;
    return pg::MakeError(absl::StatusCode::kAlreadyExists,
                         {.message = "relation \"" + relation + "\" already exists",
                          .detail = "TVIEW \"" + name.entity + "\" consists of the table \"" +
                                    name.table + "\" and the view \"" + name.view + "\".",
                          .hint = "Drop or rename it, or choose another entity name.",
                          .sqlstate = "42P07"});
  }
  return absl::OkStatus();
}

absl::Status CreateBackingView(const TviewRequest& request, const DefiningQuery& query) {
  std::string columns;
  for (const std::string& column : request.column_names) {
    columns += (columns.empty() ? " (" : ", ") + QuoteIdentifier(column);
  }
  if (!columns.empty()) columns += ')';
  // On a line of its own, because the query may end with a comment.
  return Run("CREATE VIEW " + request.name.QualifiedView() + columns + " AS\n" + query.text + "\n");
}

std::string StorageClauses(const TableStorage& storage) {
  std::string options = storage.has_fillfactor ? "" : kDefaultFillfactor;
  for (const std::string& option : storage.options) {
    options += (options.empty() ? "" : ", ") + option;
  }
  std::string clauses;
  if (!storage.access_method.empty()) {
    clauses += " USING " + QuoteIdentifier(storage.access_method);
  }
  clauses += " WITH (" + options + ")";
  if (!storage.tablespace.empty()) clauses += " TABLESPACE " + QuoteIdentifier(storage.tablespace);
  return clauses;
}

// What CREATE TABLE selects, and what is dropped of that afterwards.
struct Places {
  std::string columns;
  std::string gaps;
};

Places PlacesOf(const TviewRequest& request) {
  Places places;
  if (request.places.empty()) places.columns = "*";
  for (std::size_t i = 0; i < request.places.size(); ++i) {
    places.columns += i == 0 ? "" : ", ";
    if (!request.places[i].empty()) {
      places.columns += QuoteIdentifier(request.places[i]);
      continue;
    }
    const std::string name = QuoteIdentifier("........pg_tviews." + std::to_string(i + 1));
    places.columns += "NULL::pg_catalog.int4 AS " + name;
    places.gaps += (places.gaps.empty() ? "DROP COLUMN " : ", DROP COLUMN ") + name;
  }
  return places;
}

absl::Status CreateEmptyTable(const TviewRequest& request, const DefiningQuery& query) {
  const std::string table = request.name.QualifiedTable();
  const Places places = PlacesOf(request);
  TVIEWS_RETURN_IF_ERROR(Run("CREATE TABLE " + table + StorageClauses(request.storage) +
                             " AS SELECT " + places.columns + " FROM " +
                             request.name.QualifiedView() + " WITH NO DATA"));
  if (!places.gaps.empty()) TVIEWS_RETURN_IF_ERROR(Run("ALTER TABLE " + table + " " + places.gaps));
  return CompressDocuments(table, query.columns);
}

std::string ColumnList(const std::vector<std::string>& columns) {
  std::string list;
  for (const std::string& column : columns) {
    list += (list.empty() ? "" : ", ") + QuoteIdentifier(column);
  }
  return list;
}

// The parts of the key to which paths lead.
std::set<std::vector<std::size_t>> PartsOf(const Analysis& analysis) {
  std::set<std::vector<std::size_t>> parts;
  for (const SourceLineage& source : analysis.sources) {
    for (const LineagePath& path : source.paths) {
      if (!path.part.empty()) parts.insert(path.part);
    }
  }
  return parts;
}

absl::Status CreatePrimaryKey(const TviewName& name, const std::vector<std::string>& key) {
  absl::Status status =
      Run("ALTER TABLE " + name.QualifiedTable() + " ADD PRIMARY KEY (" + ColumnList(key) + ")");
  // Still a failure that ends the work, in words that fit what the user asked for.
  if (!pg::HasSqlState(status, "23505")) return status;
  return pg::MakeError(absl::StatusCode::kAlreadyExists,
                       {.message = "the query of TVIEW \"" + name.entity +
                                   "\" returns several rows with the same key",
                        .detail = pg::ErrorDetail(status),
                        .hint = "Each row needs a key of its own: group or filter the query, or "
                                "choose another key column.",
                        .sqlstate = "23505"});
}

// True if the primary key, or an index that every TVIEW gets, finds rows by `part` of the key.
bool IsFoundAnyway(const std::vector<std::size_t>& part, const std::vector<std::string>& key) {
  const std::string& first = key[part[0]];
  bool is_prefix = true;
  for (std::size_t i = 0; i < part.size(); ++i) is_prefix = is_prefix && part[i] == i;
  return is_prefix || (part.size() == 1 && (first == "id" || first.rfind("fk_", 0) == 0));
}

// By which refresh finds the rows of a part of the key (LINEAGE K).
absl::Status CreatePartIndexes(const TviewName& name, const std::vector<std::string>& key,
                               const Analysis& analysis) {
  for (const std::vector<std::size_t>& part : PartsOf(analysis)) {
    if (IsFoundAnyway(part, key)) continue;
    std::vector<std::string> columns;
    for (const std::size_t i : part) columns.push_back(key[i]);
    TVIEWS_RETURN_IF_ERROR(
        Run("CREATE INDEX ON " + name.QualifiedTable() + " (" + ColumnList(columns) + ")"));
  }
  return absl::OkStatus();
}

// The texts of lookups must not depend on the user's search path.
absl::StatusOr<Analysis> DeriveAsOwner(const Query* tree, const std::vector<AttributeNumber>& key,
                                       const AnalysisOptions& options,
                                       const DefinitionSettings& settings) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(GetUserId(), settings));
  return DeriveLineage(tree, key, options);
}

// What counts is what the view reads, which the server has looked up once more.
absl::StatusOr<Analysis> AnalyzeAsOwner(RelationId view,
                                        const std::vector<std::string>& key_columns,
                                        const AnalysisOptions& options,
                                        const DefinitionSettings& settings) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(GetUserId(), settings));
  return AnalyzeView(view, key_columns, options);
}

// Locks are held on `expected`. Names may have come to mean something else while they were waited
// for, such as that of a table created meanwhile in a schema earlier on the search path.
absl::Status CheckReadsTheSame(const TviewName& name, const Analysis& expected,
                               const Analysis& actual) {
  std::vector<RelationId> locked = SourcesOf(expected);
  std::vector<RelationId> read = SourcesOf(actual);
  std::sort(locked.begin(), locked.end());
  std::sort(read.begin(), read.end());
  if (locked == read && expected.functions == actual.functions) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kAborted,
                       {.message = "names in the query of TVIEW \"" + name.entity +
                                   "\" changed their meaning while it was created",
                        .hint = "Create it again.",
                        .sqlstate = "40001"});
}

// The session's, unless the statement names others.
absl::StatusOr<DefinitionSettings> SettingsFor(const TviewRequest& request) {
  TVIEWS_ASSIGN_OR_RETURN(DefinitionSettings settings, pg::SettingsInForce());
  for (const DefinitionSetting& named : request.settings) {
    TVIEWS_ASSIGN_OR_RETURN(settings, pg::ChangeSetting(settings, named.name, named.value));
  }
  return settings;
}

// To plan a definition is to evaluate parts of it, so only where this session fills the TVIEW.
absl::StatusOr<std::vector<double>> CostOfChanges(const TviewRequest& request,
                                                  const DefiningQuery& query,
                                                  const std::vector<AttributeNumber>& key,
                                                  const Analysis& analysis,
                                                  const DefinitionSettings& settings) {
  TviewDefinition tview;
  tview.qualified_view = request.name.QualifiedView();
  for (const AttributeNumber number : key) {
    const OutputColumn& output = query.columns[number - 1];
    KeyColumn& column = tview.key.emplace_back();
    column.name = output.name;
    column.type = output.type;
    TVIEWS_ASSIGN_OR_RETURN(column.equality, pg::KeyEquality(output.type));
  }
  TviewFacts facts;
  facts.view = tview.qualified_view;
  facts.owner = GetUserId();
  facts.settings = settings;
  facts.options = request.options;
  TVIEWS_ASSIGN_OR_RETURN(const PlannedStates states, PlannedStates::Choose(facts));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(GetUserId(), settings));
  return RowsReadPerChange(tview, analysis.sources, states.Usable());
}

// What the definition is evaluated with.
DefinitionSettings WithClock(DefinitionSettings settings, const Analysis& analysis) {
  if (analysis.clock_period_ms > 0) {
    settings.push_back({.name = kClockSetting, .value = std::to_string(analysis.clock_period_ms)});
  }
  return settings;
}

// Shows the creation in pg_tviews_progress until it ends, in whatever way: where the stack is not
// unwound, the end of the transaction ends it.
class CreationProgress {
 public:
  explicit CreationProgress(const std::string& entity) {
    pg::session_notes::BeginCreation(entity.c_str());
  }
  ~CreationProgress() { pg::session_notes::EndCreation(); }
  CreationProgress(const CreationProgress&) = delete;
  CreationProgress& operator=(const CreationProgress&) = delete;
};

}  // namespace

absl::StatusOr<CreatedTview> CreateTview(TviewRequest request) {
  const InternalDdlScope internal;
  TVIEWS_RETURN_IF_ERROR(ResolveCreationSchema(&request.name));
  const TviewName& name = request.name;
  TVIEWS_RETURN_IF_ERROR(CheckNamesAreFree(name));
  TVIEWS_ASSIGN_OR_RETURN(const DefiningQuery query,
                          ParseDefiningQuery(request.query, request.column_names));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<AttributeNumber> key,
                          ChooseKey(query, name.entity, request.key));
  TVIEWS_ASSIGN_OR_RETURN(const DefinitionSettings settings, SettingsFor(request));
  TVIEWS_ASSIGN_OR_RETURN(const AnalysisOptions options, AnalysisOptionsOf(request.options));
  TVIEWS_ASSIGN_OR_RETURN(const Analysis expected,
                          DeriveAsOwner(query.tree, key, options, settings));
  const CreationProgress progress(name.entity);
  TVIEWS_RETURN_IF_ERROR(LockSources(SourcesOf(expected)));
  // Again: whoever held the locks may have created it.
  TVIEWS_RETURN_IF_ERROR(CheckNamesAreFree(name));

  TVIEWS_RETURN_IF_ERROR(CreateBackingView(request, query));
  TVIEWS_RETURN_IF_ERROR(CreateEmptyTable(request, query));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId view, FindRelation(name.schema, name.view));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, FindRelation(name.schema, name.table));
  TVIEWS_RETURN_IF_ERROR(BindView(view, table));
  TVIEWS_RETURN_IF_ERROR(DependOnFunctions(view, expected));
  TVIEWS_RETURN_IF_ERROR(LockMeaningOf(view));
  const std::vector<std::string> key_columns = NamesOf(query, key);
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis,
                          AnalyzeAsOwner(view, key_columns, options, settings));
  TVIEWS_RETURN_IF_ERROR(CheckReadsTheSame(name, expected, analysis));
  TVIEWS_RETURN_IF_ERROR(InheritLane(SourcesOf(analysis), &request.options));

  if (!request.with_no_data) {
    TVIEWS_ASSIGN_OR_RETURN(request.with_no_data, IsLeftToApplier(name.table, view));
  }
  if (!request.with_no_data) {
    TVIEWS_ASSIGN_OR_RETURN(request.with_no_data, ReadsUnpopulated(name.table, analysis));
  }
  std::vector<double> rows_read;
  if (!request.with_no_data) {
    TVIEWS_ASSIGN_OR_RETURN(rows_read, CostOfChanges(request, query, key, analysis, settings));
  }
  // Before the fill, which may take long.
  TVIEWS_RETURN_IF_ERROR(ReportAnalysis(name, analysis, settings, rows_read));
  FillResult fill;
  if (!request.with_no_data) {
    pg::session_notes::SetPhase(pg::CreationPhase::kFilling);
    TVIEWS_ASSIGN_OR_RETURN(fill, FillTview({.table = table,
                                             .query = "SELECT * FROM " + name.QualifiedView(),
                                             .owner = GetUserId(),
                                             .settings = WithClock(settings, analysis),
                                             .key = key}));
  }
  pg::session_notes::SetPhase(pg::CreationPhase::kIndexing);
  TVIEWS_RETURN_IF_ERROR(CreatePrimaryKey(name, key_columns));
  TVIEWS_RETURN_IF_ERROR(CreateLookupIndexes(table, query.columns, {key.front()}));
  TVIEWS_RETURN_IF_ERROR(CreatePartIndexes(name, key_columns, analysis));
  pg::session_notes::SetPhase(pg::CreationPhase::kAnalyzing);
  if (!request.with_no_data) TVIEWS_RETURN_IF_ERROR(Run("ANALYZE " + name.QualifiedTable()));

  // Event triggers may have added something.
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainTable(table));
  TVIEWS_RETURN_IF_ERROR(CheckPromisesNothing(table, key_columns));
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainView(view));
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(table, view));
  TVIEWS_RETURN_IF_ERROR(InsertMetadata({.tview = table,
                                         .backing_view = view,
                                         .entity = name.entity,
                                         .key_columns = key_columns,
                                         .definition = query.text,
                                         .fill_snapshot = fill.snapshot,
                                         .fill_creator = fill.creator,
                                         .fill_clock = fill.clock,
                                         .options = request.options,
                                         .settings = settings,
                                         .analysis = analysis}));
  TVIEWS_RETURN_IF_ERROR(TellOfSharedTarget(table));
  TVIEWS_RETURN_IF_ERROR(CaptureSources(analysis.sources));
  TVIEWS_RETURN_IF_ERROR(ChooseGroupStates(table, name.table));
  if (request.with_no_data) {
    TVIEWS_RETURN_IF_ERROR(FillOnline(table, name.table, key_columns.size(), analysis));
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string key_text, KeyAsText(key_columns));
  TVIEWS_RETURN_IF_ERROR(
      RecordActionOn("CREATE", table,
                     {{"definition", query.text},
                      {"key", key_text},
                      {"options", "{" + request.options + "}", AuditDetail::kJson}}));
  TVIEWS_ASSIGN_OR_RETURN(const std::string display_name, RelationDisplayName(table));
  return CreatedTview{.tview = table, .name = display_name, .rows = fill.rows};
}

absl::Status BindView(RelationId view, RelationId table) {
  return pg::Call([&] {
    const ObjectAddress dependent = {RelationRelationId, view, 0};
    const ObjectAddress owner = {RelationRelationId, table, 0};
    recordDependencyOn(&dependent, &owner, DEPENDENCY_INTERNAL);
    CommandCounterIncrement();
  });
}

}  // namespace tviews::backend
