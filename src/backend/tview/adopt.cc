#include "backend/tview/adopt.h"
#include "backend/ddl/audit_log.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/source_locks.h"
#include "backend/tview/create.h"
#include "backend/tview/facts.h"
#include "backend/tview/function_reads.h"
#include "backend/tview/group_states.h"
#include "backend/tview/key_type.h"
#include "backend/tview/label.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/table_checks.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/common/dead_letter.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"
#include "shared/tview_label.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/relation.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <optimizer/optimizer.h>
#include <rewrite/rewriteHandler.h>
#include <storage/lmgr.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// A TVIEW that came from elsewhere.
struct Candidate {
  RelationId table = 0;
  RoleId owner = 0;
  std::string entity;
  std::vector<std::string> key_columns;
  std::string view;        // as the label names it
  std::string definition;  // as the user gave it; empty if only the view knows it
  std::string options;     // members of a JSON object
  bool is_copy = false;    // it has a row in pg_tview_meta, of another database
  absl::Status label_error;
};

// The identity under which OIDs and snapshots mean something.
pg::SqlParameters Identity() {
  return {std::to_string(static_cast<std::int64_t>(GetSystemIdentifier())),
          std::to_string(MyDatabaseId)};
}

// A restore is not done yet.
constexpr char kNotReady[] = "55000";

constexpr char kIsOfHere[] = "m.system_identifier = $1::bigint AND m.database_oid = $2::oid";

// As they are: each is parsed by itself, so that a malformed one is nobody else's concern.
std::string Labels() {
  return absl::StrCat("(SELECT objoid, label FROM pg_seclabel WHERE provider = '", kLabelProvider,
                      "' AND classoid = 'pg_class'::regclass AND objsubid = 0)");
}

// What a label says, unless there is metadata.
absl::StatusOr<Candidate> CandidateOf(const pg::SqlRow& row) {
  pg::RowReader column(row);
  Candidate candidate{};
  candidate.table = column.Oid();
  candidate.owner = column.Oid();
  candidate.entity = column.TextOrNothing();
  candidate.view = column.TextOrNothing();
  candidate.definition = column.TextOrNothing();
  candidate.is_copy = column.IsTrue();
  candidate.options = column.TextOrNothing();
  const std::string label_text = column.TextOrNothing();
  const std::string table_name = column.Text();
  TVIEWS_RETURN_IF_ERROR(column.End());
  if (candidate.is_copy) {
    TVIEWS_ASSIGN_OR_RETURN(candidate.key_columns, KeyColumnsOf(candidate.table));
    return candidate;
  }
  absl::StatusOr<TviewLabel> label = ParseTviewLabel(label_text);
  if (!label.ok()) {
    candidate.label_error = pg::MakeError(
        absl::StatusCode::kInvalidArgument,
        {.message = std::string(label.status().message()),
         .hint = "Remove it: SECURITY LABEL FOR pg_tviews ON TABLE " + table_name + " IS NULL."});
    candidate.entity = table_name;
    return candidate;
  }
  candidate.entity = std::move(label->entity);
  candidate.key_columns = std::move(label->key);
  candidate.view = std::move(label->view);
  candidate.options = std::move(label->options);
  return candidate;
}

absl::StatusOr<std::vector<Candidate>> FindCandidates() {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat("SELECT c.oid, c.relowner, m.entity, m.backing_view::text,"
                       " m.definition, m.tview IS NOT NULL,"
                       " left(right(m.options::text, -1), -1), l.label, c.oid::regclass::text"
                       " FROM ",
                       Labels(), " AS l FULL JOIN ", meta,
                       " AS m ON m.tview = l.objoid"
                       " JOIN pg_class AS c ON c.oid = coalesce(l.objoid, m.tview)"
                       " WHERE (",
                       kIsOfHere, ") IS NOT TRUE ORDER BY c.oid"),
          Identity()));
  std::vector<Candidate> candidates;
  for (const pg::SqlRow& row : found.rows) {
    TVIEWS_ASSIGN_OR_RETURN(candidates.emplace_back(), CandidateOf(row));
  }
  return candidates;
}

// TVIEWs of before there were labels.
absl::Status LabelWhatHasNone() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  std::vector<RelationId> unlabelled;
  {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    TVIEWS_ASSIGN_OR_RETURN(
        const pg::SqlResult found,
        pg::ExecuteSqlLatest(absl::StrCat("SELECT m.tview::oid FROM ", meta, " AS m JOIN pg_class",
                                          " AS c ON c.oid = m.tview WHERE ", kIsOfHere,
                                          " AND NOT EXISTS (SELECT FROM ", Labels(),
                                          " AS l WHERE l.objoid = m.tview)"),
                             Identity()));
    unlabelled = RelationIds(found);
  }
  for (const RelationId tview : unlabelled) TVIEWS_RETURN_IF_ERROR(WriteLabel(tview));
  return absl::OkStatus();
}

struct Readiness {
  RelationId view = 0;
  std::string reason;  // why it is not ready; empty if it is
};

// A dump creates the primary key after the rows.
absl::StatusOr<Readiness> FindView(const Candidate& candidate) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          "SELECT coalesce(v.oid, 0), CASE WHEN v.oid IS NULL THEN format('its view %s.%I is not"
          " there', t.relnamespace::regnamespace, n.name) WHEN NOT EXISTS"
          " (SELECT FROM pg_index i JOIN pg_attribute a"
          " ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])"
          " WHERE i.indrelid = t.oid AND i.indisprimary GROUP BY i.indexrelid"
          " HAVING bool_and(a.attname = ANY ($3::name[])) AND count(*) = cardinality($3::name[]))"
          " THEN format('it has no primary key on its column%s %s', CASE WHEN"
          " cardinality($3::name[]) > 1 THEN 's' END, (SELECT string_agg(quote_ident(k), ', ')"
          " FROM unnest($3::name[]) AS k)) END"
          " FROM pg_class t CROSS JOIN LATERAL (SELECT part FROM unnest(parse_ident($2))"
          " WITH ORDINALITY AS p (part, place) ORDER BY place DESC LIMIT 1) AS n (name)"
          " LEFT JOIN pg_class v ON v.relnamespace = t.relnamespace AND v.relname = n.name"
          " AND v.relkind = 'v' WHERE t.oid = $1::oid",
          {std::to_string(candidate.table), candidate.view, TextArray(candidate.key_columns)}));
  if (found.rows.empty()) return Readiness{.view = 0, .reason = "it has been dropped"};
  pg::RowReader column(found.rows[0]);
  Readiness readiness;
  readiness.view = column.Oid();
  readiness.reason = column.TextOrNothing();
  TVIEWS_RETURN_IF_ERROR(column.End());
  return readiness;
}

absl::Status CheckView(const Candidate& candidate, RelationId view) {
  TVIEWS_RETURN_IF_ERROR(CheckOwner(view));
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainView(view));
  for (const std::string& column : candidate.key_columns) {
    TVIEWS_ASSIGN_OR_RETURN(const TypeId key_type, pg::CallFor([&] {
                              return get_atttype(candidate.table,
                                                 get_attnum(candidate.table, column.c_str()));
                            }));
    TVIEWS_RETURN_IF_ERROR(CheckKeyType(column, key_type));
  }
  TVIEWS_RETURN_IF_ERROR(CheckSameColumns(candidate.table, view));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId other, pg::TviewOfBackingView(view));
  if (other == 0 || other == candidate.table) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "view " + candidate.view + " belongs to another TVIEW"});
}

absl::StatusOr<bool> IsBound(RelationId view, RelationId table) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT FROM pg_catalog.pg_depend WHERE classid ="
                           " 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = $1::oid"
                           " AND refobjid = $2::oid AND deptype = 'i'",
                           {std::to_string(view), std::to_string(table)}));
  return !found.rows.empty();
}

bool ReadsOneOf(const std::vector<RelationId>& sources, const std::vector<RelationId>& waiting) {
  return std::any_of(sources.begin(), sources.end(), [&waiting](RelationId source) {
    return std::find(waiting.begin(), waiting.end(), source) != waiting.end();
  });
}

// A restore that replaces or drops the view goes on to its table. Whoever held the table's lock and
// waited for the view would be in a deadlock with it: so the view comes first, and without waiting.
absl::StatusOr<bool> LockViewNoWait(RelationId view) {
  return pg::CallFor([view] {
    return ConditionalLockRelationOid(view, AccessShareLock) &&
           SearchSysCacheExists1(RELOID, ObjectIdGetDatum(view));
  });
}

// Labels of before there were settings stand for those of now.
absl::StatusOr<DefinitionSettings> SettingsOf(const Candidate& candidate) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT " + pg::SettingsColumns("$1::pg_catalog.jsonb"),
                           {"{" + candidate.options + "}"}));
  pg::RowReader column(found.rows[0]);
  DefinitionSettings settings = pg::ReadSettings(&column);
  if (!settings.empty()) return settings;
  return pg::SettingsInForce();
}

// Metadata that came along as a copy of the whole database have its ids.
absl::StatusOr<std::string> OptionsOf(const Candidate& candidate) {
  if (candidate.is_copy) return candidate.options;
  return WithIds(candidate.options);
}

// A label may come from anybody: a table tv_x is no other entity than x, whatever it says.
absl::StatusOr<std::string> EntityOf(const Candidate& candidate) {
  TVIEWS_ASSIGN_OR_RETURN(const char* const table,
                          pg::CallFor([&] { return get_rel_name(candidate.table); }));
  if (table == nullptr || !HasTviewPrefix(table)) return candidate.entity;
  TVIEWS_ASSIGN_OR_RETURN(const TviewName name, ParseTviewName(QuoteIdentifier(table)));
  return name.entity;
}

// True of what dumps create first for a view whose GROUP BY needs a key: a row of NULLs.
bool IsStandIn(RelationId view) {
  const Relation relation = relation_open(view, AccessShareLock);
  const Query* const query = get_view_query(relation);
  bool is_stand_in = query->jointree->fromlist == NIL && query->jointree->quals == nullptr &&
                     query->setOperations == nullptr;
  for (int i = 0; is_stand_in && i < list_length(query->targetList); ++i) {
    const auto* const entry = static_cast<TargetEntry*>(list_nth(query->targetList, i));
    Node* value = eval_const_expressions(nullptr, reinterpret_cast<Node*>(entry->expr));
    while (IsA(value, CoerceToDomain)) {
      value = reinterpret_cast<Node*>(reinterpret_cast<CoerceToDomain*>(value)->arg);
    }
    is_stand_in = IsA(value, Const) && reinterpret_cast<Const*>(value)->constisnull;
  }
  relation_close(relation, NoLock);
  return is_stand_in;
}

// Runs as the table's owner, who then is the owner of the TVIEW. Returns why it is not ready yet;
// nothing if it is done.
absl::StatusOr<std::string> Adopt(const Candidate& candidate,
                                  const std::vector<RelationId>& waiting) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_RETURN_IF_ERROR(candidate.label_error);
  TVIEWS_ASSIGN_OR_RETURN(const Readiness readiness, FindView(candidate));
  if (!readiness.reason.empty()) {
    // As an error, which is noted like others.
    return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.message = readiness.reason, .sqlstate = kNotReady});
  }
  const RelationId view = readiness.view;
  TVIEWS_ASSIGN_OR_RETURN(const DefinitionSettings settings, SettingsOf(candidate));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user,
                          pg::UserScope::AsDefinitionOwner(candidate.owner, settings));
  TVIEWS_ASSIGN_OR_RETURN(const bool is_locked, LockViewNoWait(view));
  if (!is_locked) return std::string("its view is locked by another session");
  TVIEWS_RETURN_IF_ERROR(LockSourcesNoWait({candidate.table}));
  TVIEWS_RETURN_IF_ERROR(CheckIsPlainTable(candidate.table));
  TVIEWS_RETURN_IF_ERROR(CheckPromisesNothing(candidate.table, candidate.key_columns));
  TVIEWS_RETURN_IF_ERROR(CheckView(candidate, view));
  TVIEWS_RETURN_IF_ERROR(LockMeaningOf(view));
  TVIEWS_ASSIGN_OR_RETURN(const std::string text, ViewText(view));
  TVIEWS_ASSIGN_OR_RETURN(const std::string members, OptionsOf(candidate));
  TVIEWS_ASSIGN_OR_RETURN(const AnalysisOptions options, AnalysisOptionsOf(members));
  TVIEWS_ASSIGN_OR_RETURN(const Analysis analysis,
                          AnalyzeView(view, candidate.key_columns, options));
  TVIEWS_ASSIGN_OR_RETURN(const std::string entity, EntityOf(candidate));
  const std::vector<RelationId> sources = SourcesOf(analysis);
  if (sources.empty() && !candidate.is_copy) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_stand_in,
                            pg::CallFor([view] { return IsStandIn(view); }));
    if (is_stand_in) return std::string("its view has no query yet");
  }
  if (ReadsOneOf(sources, waiting)) return std::string("it reads another TVIEW that is pending");
  TVIEWS_RETURN_IF_ERROR(LockSourcesNoWait(sources));
  TVIEWS_RETURN_IF_ERROR(DeleteMetadata(candidate.table).status());
  TVIEWS_ASSIGN_OR_RETURN(const bool is_bound, IsBound(view, candidate.table));
  if (!is_bound) TVIEWS_RETURN_IF_ERROR(BindView(view, candidate.table));
  TVIEWS_RETURN_IF_ERROR(
      InsertMetadata({.tview = candidate.table,
                      .backing_view = view,
                      .entity = entity,
                      .key_columns = candidate.key_columns,
                      .definition = candidate.definition.empty() ? text : candidate.definition,
                      .fill_snapshot = "",
                      .fill_creator = "",
                      .options = members,
                      .settings = settings,
                      .analysis = analysis}));
  TVIEWS_RETURN_IF_ERROR(SyncGroupStates(candidate.table).status());
  TVIEWS_RETURN_IF_ERROR(DependOnFunctions(view, analysis));
  TVIEWS_RETURN_IF_ERROR(RecordActionOn("ADOPT", candidate.table, {{"definition", text}}));
  TVIEWS_RETURN_IF_ERROR(CheckForCycles());
  TVIEWS_RETURN_IF_ERROR(CaptureSources(analysis.sources));
  TVIEWS_RETURN_IF_ERROR(NoteTview(candidate.table));
  return std::string();
}

// Why a table cannot be adopted is to be seen where every other failing TVIEW is.
absl::Status NoteFailure(const Candidate& candidate, const absl::Status& error) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::uint64_t attempts,
                          pg::WriteDeadLetter(candidate.table, nullptr, error));
  if (attempts == 1 && !pg::HasSqlState(error, kNotReady)) {
    pg::LogFailure(error, ("table of TVIEW \"" + candidate.entity +
                           "\" cannot be adopted yet and is tried again")
                              .c_str());
  }
  return absl::OkStatus();
}

// Of tables that were dropped, or have lost their label, while they waited.
absl::Status ForgetLettersOfTheGone() {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string letters,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  return pg::ExecuteSqlLatest(absl::StrCat("DELETE FROM ", letters,
                                           " AS d WHERE NOT EXISTS (SELECT FROM ", meta,
                                           " AS m WHERE m.tview = d.tview) AND NOT EXISTS (SELECT"
                                           " FROM pg_seclabel AS l WHERE l.objoid = d.tview AND"
                                           " l.classoid = 'pg_class'::regclass AND l.provider ="
                                           " 'pg_tviews')"))
      .status();
}

// Until the first TVIEW is one of here, the frontier's snapshot is another database's.
absl::Status ForgetFrontier() {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_frontier"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  return pg::ExecuteSqlLatest(
             absl::StrCat("UPDATE ", table, " SET snapshot = NULL, applied_at = NULL, clock = NULL",
                          " WHERE NOT EXISTS (SELECT FROM ", meta, " AS m WHERE ", kIsOfHere, ")"),
             Identity())
      .status();
}

}  // namespace

absl::StatusOr<Adoption> AdoptTviews() {
  TVIEWS_RETURN_IF_ERROR(LabelWhatHasNone());
  TVIEWS_RETURN_IF_ERROR(ForgetLettersOfTheGone());
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Candidate> candidates, FindCandidates());
  const bool has_copies = std::any_of(candidates.begin(), candidates.end(),
                                      [](const Candidate& found) { return found.is_copy; });
  if (has_copies) TVIEWS_RETURN_IF_ERROR(ForgetFrontier());
  Adoption result;
  // Those that read TVIEWs come after what they read.
  for (bool has_progressed = true; has_progressed && !candidates.empty();) {
    has_progressed = false;
    std::vector<RelationId> waiting;
    for (const Candidate& candidate : candidates) waiting.push_back(candidate.table);
    std::vector<Candidate> left;
    result.reasons.clear();
    for (const Candidate& candidate : candidates) {
      std::string reason;
      const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
        TVIEWS_ASSIGN_OR_RETURN(reason, Adopt(candidate, waiting));
        return absl::OkStatus();
      });
      if (!status.ok()) reason = std::string(status.message());
      if (!status.ok() && !pg::IsTransient(status)) {
        TVIEWS_RETURN_IF_ERROR(NoteFailure(candidate, status));
      }
      if (reason.empty()) {
        has_progressed = true;
        ++result.adopted;
        continue;
      }
      left.push_back(candidate);
      TVIEWS_ASSIGN_OR_RETURN(const std::string table, RelationDisplayName(candidate.table));
      result.reasons.push_back(absl::StrCat(table, ": ", reason));
    }
    candidates = std::move(left);
  }
  result.pending = static_cast<int>(candidates.size());
  return result;
}

}  // namespace tviews::backend
