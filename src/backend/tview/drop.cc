#include "backend/tview/drop.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "backend/capture/moved_rows.h"
#include "backend/capture/transaction.h"
#include "backend/capture/trigger_installation.h"
#include "backend/ddl/audit_log.h"
#include "backend/tview/dropped.h"
#include "backend/tview/facts.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/shadow.h"
#include "backend/tview/stored_lineage.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <catalog/pg_inherits.h>
#include <nodes/parsenodes.h>
#include <tcop/utility.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/syscache.h>
#include <utils/varlena.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Note {
  RelationId tview;
  std::string table;  // qualified: after the drop nobody knows it, nor
  RoleId owner;

  bool operator<(const Note& other) const { return tview < other.tview; }
  bool operator==(const Note& other) const { return tview == other.tview; }
};

std::vector<Note>& Notes() {
  static NoDestructor<std::vector<Note>> notes;
  return *notes;
}

// Relations that have lost a column.
std::set<RelationId>& Changed() {
  static NoDestructor<std::set<RelationId>> changed;
  return *changed;
}

absl::StatusOr<bool> Exists(RelationId relation) {
  return pg::CallFor([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); });
}

absl::Status Forget(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> sources, DeleteMetadata(tview));
  return RemoveUnneededCaptureTriggers({sources.begin(), sources.end()});
}

RoleId OwnerOf(RelationId relation) {
  HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", relation);
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
  ReleaseSysCache(row);
  return owner;
}

bool IsOneOf(RoleId role, const List* roles) {
  for (int i = 0; i < list_length(roles); ++i) {
    if (get_rolespec_oid(static_cast<RoleSpec*>(list_nth(roles, i)), true) == role) return true;
  }
  return false;
}

// True if `statement` names what was dropped; also if its schema or everything of its owner goes.
absl::StatusOr<bool> IsMeant(const Note& note, const Node* statement) {
  return pg::CallFor([&] {
    List* const dropped = textToQualifiedNameList(cstring_to_text(note.table.c_str()));
    const char* const schema = strVal(linitial(dropped));
    const char* const table = strVal(llast(dropped));
    if (!OidIsValid(get_namespace_oid(schema, true))) return true;
    if (IsA(statement, DropOwnedStmt)) {
      return IsOneOf(note.owner, reinterpret_cast<const DropOwnedStmt*>(statement)->roles);
    }
    if (!IsA(statement, DropStmt)) return false;
    const auto* const drop = reinterpret_cast<const DropStmt*>(statement);
    for (int i = 0; drop->removeType == OBJECT_TABLE && i < list_length(drop->objects); ++i) {
      List* const name = static_cast<List*>(list_nth(drop->objects, i));
      if (strcmp(strVal(llast(name)), table) != 0) continue;
      if (list_length(name) == 1 || strcmp(strVal(linitial(name)), schema) == 0) return true;
    }
    return false;
  });
}

// Tools drop with CASCADE; the server's NOTICE is the last of many that nobody reads.
// `name` is what brings it back: qualified, as others of its entity may be elsewhere.
absl::Status ReportCascade(const std::string& entity, const std::string& name) {
  if (pg::settings::drop_cascade == pg::settings::kError) {
    return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.message = "the command would drop TVIEW \"" + entity + "\" by CASCADE",
                          .hint = "Drop the TVIEW first, or SET pg_tviews.drop_cascade = warn.",
                          .sqlstate = "2BP01"});
  }
  const std::string restore = "SELECT pg_tviews_restore_dropped(" + QuoteLiteral(name) + ")";
  return pg::Call([&] {
    ereport(WARNING, (errmsg("TVIEW \"%s\" was dropped by CASCADE", entity.c_str()),
                      errhint("%s brings it back, with its indexes and grants, when what it reads "
                              "is there again.",
                              restore.c_str())));
  });
}

// REQUIRES: its metadata is still there.
absl::Status RecordDrop(const Note& note, const char* command, bool is_cascade) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(const std::string remains, TakeRemains(note.tview));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult known,
      pg::ExecuteSqlLatest("SELECT entity, definition, coalesce(quote_ident(nullif($2, '')::jsonb"
                           " ->> 'schema') || '.', '') || quote_ident(entity) FROM " +
                               meta + " WHERE tview = $1::oid",
                           {std::to_string(note.tview), remains}));
  if (known.rows.empty()) return absl::OkStatus();
  pg::RowReader column(known.rows[0]);
  const std::string entity = column.Text();
  const std::string definition = column.TextOrNothing();
  const std::string name = column.Text();
  TVIEWS_RETURN_IF_ERROR(column.End());
  if (is_cascade) TVIEWS_RETURN_IF_ERROR(ReportCascade(entity, name));
  return RecordAction("DROP", entity,
                      {{"definition", definition},
                       {"command", command},
                       {"table", note.table},
                       {"cascade", is_cascade ? "true" : ""},
                       {"restore", remains, AuditDetail::kJson}});
}

// Adds the sources of a TVIEW that is gone to `sources`.
absl::Status FinishDrop(const Note& note, const Node* statement, std::set<RelationId>* sources) {
  TVIEWS_ASSIGN_OR_RETURN(const bool exists, Exists(note.tview));
  if (exists) return absl::OkStatus();
  const char* const command = GetCommandTagName(CreateCommandTag(const_cast<Node*>(statement)));
  TVIEWS_ASSIGN_OR_RETURN(const RelationId original, TviewShadowedBy(note.tview));
  TVIEWS_ASSIGN_OR_RETURN(bool is_meant, IsMeant(note, statement));
  is_meant = is_meant || original != 0;  // goes with that
  TVIEWS_RETURN_IF_ERROR(RecordDrop(note, command, !is_meant));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> own, DeleteMetadata(note.tview));
  sources->insert(own.begin(), own.end());
  return absl::OkStatus();
}

// TVIEWs that read single columns have gone with the column, or do not read it.
absl::Status FinishColumnDrop(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool exists, Exists(relation));
  if (!exists) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOfWholeRows(relation));
  for (const RelationId reader : readers) {
    TVIEWS_RETURN_IF_ERROR(RederiveLineage(reader));
    TVIEWS_RETURN_IF_ERROR(NoteTview(reader));
  }
  return absl::OkStatus();
}

// False after DROP EXTENSION, or where its tables are gone by other means.
bool IsInstalled() {
  return pg::CatalogTableId(pg::CatalogTable::kMeta).ok() &&
         pg::CatalogTableId(pg::CatalogTable::kLineage).ok() &&
         pg::CatalogTableId(pg::CatalogTable::kDeadLetter).ok();
}

}  // namespace

absl::Status NoteDrop(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (is_tview) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string table, QualifiedRelationName(relation));
    TVIEWS_ASSIGN_OR_RETURN(const RoleId owner,
                            pg::CallFor([relation] { return OwnerOf(relation); }));
    Notes().push_back({relation, table, owner});
    return NoteTableDrop(relation);
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const char kind, pg::CallFor([&] { return get_rel_relkind(relation); }));
  if (kind == RELKIND_INDEX) return NoteIndexDrop(relation);
  // Its rows vanish from its ancestors without a trigger.
  TVIEWS_ASSIGN_OR_RETURN(const bool has_ancestor,
                          pg::CallFor([&] { return has_superclass(relation); }));
  if (!has_ancestor || IsDropNoted(relation)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const bool is_empty, IsKnownToBeEmpty(relation));
  return is_empty ? absl::OkStatus() : NoteWholeRelation(relation);
}

absl::Status NoteColumnDrop(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (has_tviews) Changed().insert(relation);
  return absl::OkStatus();
}

absl::Status ReleaseTview(RelationId tview, RelationId view) {
  TVIEWS_RETURN_IF_ERROR(Forget(tview));
  return pg::Call([&] {
    deleteDependencyRecordsForSpecific(RelationRelationId, view, DEPENDENCY_INTERNAL,
                                       RelationRelationId, tview);
    CommandCounterIncrement();
  });
}

absl::Status FinishDrops(const Node* statement) {
  if (Notes().empty() && Changed().empty()) {
    ForgetRemains();
    return absl::OkStatus();
  }
  const std::set<RelationId> changed = std::exchange(Changed(), {});
  std::vector<Note> notes = std::exchange(Notes(), {});
  std::sort(notes.begin(), notes.end());
  notes.erase(std::unique(notes.begin(), notes.end()), notes.end());
  if (!IsInstalled()) return absl::OkStatus();
  std::set<RelationId> sources;
  for (const Note& note : notes) TVIEWS_RETURN_IF_ERROR(FinishDrop(note, statement, &sources));
  ForgetRemains();
  TVIEWS_RETURN_IF_ERROR(RemoveUnneededCaptureTriggers(sources));
  for (RelationId relation : changed) TVIEWS_RETURN_IF_ERROR(FinishColumnDrop(relation));
  return absl::OkStatus();
}

absl::StatusOr<std::string> DropTview(const std::string& text, bool if_exists) {
  absl::StatusOr<RelationId> tview = FindTview(text);
  if (!tview.ok()) {
    // Found out by us, without a failed call: nothing to roll back.
    if (!if_exists || !pg::HasSqlState(tview.status(), "42P01")) return tview.status();
    TVIEWS_RETURN_IF_ERROR(pg::Call(
        [&] { ereport(NOTICE, (errmsg("TVIEW \"%s\" does not exist, skipping", text.c_str()))); }));
    return text;
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(*tview));
  TVIEWS_ASSIGN_OR_RETURN(const std::string display_name, RelationDisplayName(*tview));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteCommand((if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ") + name));
  return display_name;
}

}  // namespace tviews::backend
