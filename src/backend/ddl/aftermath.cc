#include "backend/ddl/aftermath.h"

#include <string>
#include <string_view>
#include <vector>

#include "backend/capture/moved_rows.h"
#include "backend/capture/transaction.h"
#include "backend/capture/trigger_installation.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/retyping.h"
#include "backend/tview/facts.h"
#include "backend/tview/label.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "backend/tview/restore_session.h"
#include "backend/tview/stored_lineage.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/namespace.h>
#include <catalog/pg_cast.h>
#include <catalog/pg_class.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <storage/lmgr.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Place {
  const char* schema;
  const char* name;
  Oid owner;
};

absl::StatusOr<Place> PlaceOf(RelationId relation) {
  return pg::CallFor([&] {
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", relation);
    Form_pg_class form = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
    const Place place{.schema = get_namespace_name(form->relnamespace),
                      .name = pstrdup(NameStr(form->relname)),
                      .owner = form->relowner};
    ReleaseSysCache(row);
    return place;
  });
}

absl::Status AlterView(RelationId view, const std::string& action) {
  const InternalDdlScope internal(InternalDdlScope::kBookkeeping);
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(view));
  return pg::ExecuteCommand("ALTER VIEW " + name + " " + action);
}

// Gives the backing view the schema, the owner and the name that go with the table's.
absl::Status FollowTable(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(const Place table, PlaceOf(tview));
  TVIEWS_ASSIGN_OR_RETURN(const Place view, PlaceOf(facts.backing_view));
  {
    // The user may have given the table away and have no rights on its view any more.
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
    if (std::string_view(table.schema) != view.schema) {
      TVIEWS_RETURN_IF_ERROR(
          AlterView(facts.backing_view, "SET SCHEMA " + QuoteIdentifier(table.schema)));
    }
    if (table.owner != view.owner) {
      TVIEWS_ASSIGN_OR_RETURN(const char* owner,
                              pg::CallFor([&] { return GetUserNameFromId(table.owner, false); }));
      TVIEWS_RETURN_IF_ERROR(AlterView(facts.backing_view, "OWNER TO " + QuoteIdentifier(owner)));
    }
  }
  if (!HasTviewPrefix(table.name)) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const TviewName wanted, ParseTviewName(QuoteIdentifier(table.name)));
  if (wanted.entity == facts.entity) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(RenameEntity(tview, wanted.entity));
  if (wanted.view == view.name) return absl::OkStatus();
  return AlterView(facts.backing_view, "RENAME TO " + QuoteIdentifier(wanted.view));
}

absl::StatusOr<bool> HasRows(RelationId relation) {
  return pg::CallFor([&] {
    const char kind = get_rel_relkind(relation);
    return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE ||
           kind == RELKIND_FOREIGN_TABLE || kind == RELKIND_MATVIEW;
  });
}

// A nested view was replaced: every row of its readers may differ.
absl::Status NoteReaders(const std::vector<RelationId>& readers) {
  for (RelationId reader : readers) TVIEWS_RETURN_IF_ERROR(NoteTview(reader));
  return absl::OkStatus();
}

absl::Status LockOutAppliers(const std::vector<RelationId>& readers) {
  for (RelationId reader : readers) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([reader] { LockRelationOid(reader, ShareLock); }));
  }
  return absl::OkStatus();
}

// A view that a restore replaces may read what others restore: the applier adopts its readers
// again.
absl::Status FollowSource(RelationId reader, bool has_rows) {
  if (!IsRestoring()) return RederiveLineage(reader);
  return has_rows ? RederiveOrDisown(reader) : Disown(reader);
}

// Whether a relation gets or loses inheritors or partitions.
enum class Tree { kStays, kChanges };

struct Differences {
  bool in_rows = false;        // that columns of the relation show
  bool in_whole_rows = false;  // that only a reader of whole rows sees
};

// What readers of an altered relation, or a TVIEW that is altered, have to know.
absl::Status FollowAltered(RelationId relation, Tree tree, Differences differences) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (is_tview) TVIEWS_RETURN_IF_ERROR(FollowTable(relation));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_rows, HasRows(relation));
  if (has_rows && !is_tview) TVIEWS_RETURN_IF_ERROR(SyncCaptureTriggers(relation));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(relation));
  if (tree == Tree::kChanges) TVIEWS_RETURN_IF_ERROR(LockOutAppliers(readers));
  for (RelationId reader : readers) TVIEWS_RETURN_IF_ERROR(FollowSource(reader, has_rows));
  if (is_tview || !readers.empty()) TVIEWS_RETURN_IF_ERROR(pg::InvalidateCatalog());
  if (is_tview) TVIEWS_RETURN_IF_ERROR(WriteLabel(relation));
  if (readers.empty()) return absl::OkStatus();
  if (differences.in_whole_rows && !differences.in_rows) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> whole, ReadersOfWholeRows(relation));
    return NoteReaders(whole);
  }
  if (!differences.in_rows) return absl::OkStatus();
  // Also those of its inheritors only, whose rows have changed with it.
  TVIEWS_RETURN_IF_ERROR(NoteReaders(readers));
  return has_rows ? NoteWholeRelation(relation) : absl::OkStatus();
}

// Of `functions` those that this transaction has written.
absl::StatusOr<std::vector<Oid32>> Written(const List* functions) {
  std::vector<Oid32> written;
  for (int i = 0; i < list_length(functions); ++i) {
    const Oid function = list_nth_oid(functions, i);
    TVIEWS_ASSIGN_OR_RETURN(const bool is_written, pg::CallFor([function] {
                              HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
                              if (!HeapTupleIsValid(row)) return false;
                              const bool ours = TransactionIdIsCurrentTransactionId(
                                  HeapTupleHeaderGetXmin(row->t_data));
                              ReleaseSysCache(row);
                              return ours;
                            }));
    if (is_written) written.push_back(function);
  }
  return written;
}

std::vector<Oid32> Ids(const List* list) {
  std::vector<Oid32> ids;
  for (int i = 0; i < list_length(list); ++i) ids.push_back(list_nth_oid(list, i));
  return ids;
}

absl::Status CompareUsers(const std::vector<RelationId>& users) {
  TVIEWS_RETURN_IF_ERROR(LockOutAppliers(users));
  for (const RelationId user : users) {
    TVIEWS_RETURN_IF_ERROR(RederiveLineage(user));
    TVIEWS_RETURN_IF_ERROR(NoteTview(user));
  }
  return absl::OkStatus();
}

// The rows of TVIEWs that use what now means something else may differ.
absl::Status FollowMeaning(const Aftermath& aftermath) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Oid32> functions, Written(aftermath.functions));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<RelationId> users, UsersOfFunctions(functions));
  TVIEWS_RETURN_IF_ERROR(CompareUsers(users));
  if (aftermath.object != 0) {
    TVIEWS_ASSIGN_OR_RETURN(users, UsersOfObject(aftermath.object_class, aftermath.object));
    TVIEWS_RETURN_IF_ERROR(CompareUsers(users));
  }
  std::vector<Oid32> types = Ids(aftermath.types);
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Oid32> printed, TypesPrintedBy(functions));
  types.insert(types.end(), printed.begin(), printed.end());
  TVIEWS_ASSIGN_OR_RETURN(users, UsersOfTypes(types));
  return CompareUsers(users);
}

// Labels name the views with their schemas, and so do the statements of the applier.
absl::Status RelabelSchema(Oid32 schema) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> tviews, TviewsInSchema(schema));
  for (const RelationId tview : tviews) TVIEWS_RETURN_IF_ERROR(WriteLabel(tview));
  return tviews.empty() ? absl::OkStatus() : NoteMetadataChange();
}

// Of TVIEWs whose lookups may hold the name; others would only be in the way of other commands.
absl::Status RederiveLookups(const char* name) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> tviews,
                          TviewsWithLookup(name == nullptr ? "" : name));
  for (const RelationId tview : tviews) TVIEWS_RETURN_IF_ERROR(RederiveLineage(tview));
  return absl::OkStatus();
}

// The type whose values the cast turns into JSON, or 0. Inside Call. The cast may be of this
// command.
Oid TypePrintedBy(Oid cast) {
  Relation const table = table_open(CastRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_cast_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(cast));
  SysScanDesc const scan = systable_beginscan(table, CastOidIndexId, true, SnapshotSelf, 1, &key);
  const HeapTuple row = systable_getnext(scan);
  Oid type = InvalidOid;
  if (HeapTupleIsValid(row)) {
    const auto* const form = reinterpret_cast<Form_pg_cast>(GETSTRUCT(row));
    if (form->casttarget == JSONOID) type = form->castsource;
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return type;
}

// The server commits in the middle of the command, and waits then: whoever reads the table from
// there on does not see the partition, also if the command is cancelled while it waits.
absl::Status NoteConcurrentDetach(const AlterTableStmt* statement, const AlterTableCmd* command) {
  if (command->subtype != AT_DetachPartition) return absl::OkStatus();
  const auto* const partition = reinterpret_cast<const PartitionCmd*>(command->def);
  if (!partition->concurrent) return absl::OkStatus();
  Oid altered = InvalidOid;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    const Oid found = RangeVarGetRelid(statement->relation, NoLock, true);
    if (pg::compat::OwnsRelation(found, GetUserId())) altered = found;
  }));
  if (altered == InvalidOid) return absl::OkStatus();  // the command fails
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(altered));
  TVIEWS_RETURN_IF_ERROR(LockOutAppliers(readers));
  return NoteReaders(readers);
}

}  // namespace

absl::Status NoteCast(Oid32 cast) {
  TVIEWS_ASSIGN_OR_RETURN(const Oid type, pg::CallFor([cast] { return TypePrintedBy(cast); }));
  if (type == InvalidOid) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(LockToChangeMeaning(TypeRelationId, type));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> users, UsersOfTypes({type}));
  TVIEWS_RETURN_IF_ERROR(LockOutAppliers(users));
  return NoteReaders(users);
}

absl::Status NoteSearchConfigurations() {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_tviews, pg::HasTviews());
  if (!has_tviews) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> users, UsersOfDefaultSearch());
  TVIEWS_RETURN_IF_ERROR(LockOutAppliers(users));
  return NoteReaders(users);
}

// The rows of what leaves a tree are found through it, so before it leaves.
absl::Status NoteDeparture(const AlterTableStmt* statement, const AlterTableCmd* command) {
  const RangeVar* name = nullptr;
  if (command->subtype == AT_DropInherit) name = statement->relation;
  if (command->subtype == AT_DetachPartition) {
    const auto* const partition = reinterpret_cast<const PartitionCmd*>(command->def);
    if (!partition->concurrent) name = partition->name;
  }
  if (name == nullptr) return absl::OkStatus();
  Oid relation = InvalidOid;
  bool is_owner = false;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    relation = RangeVarGetRelid(name, NoLock, true);
    is_owner = OidIsValid(relation) && pg::compat::OwnsRelation(relation, GetUserId());
  }));
  return is_owner ? NoteRows(relation) : absl::OkStatus();
}

absl::Status PrepareForCommand(const Node* statement) {
  if (IsA(statement, DropStmt)) return PrepareDrop(reinterpret_cast<const DropStmt*>(statement));
  if (IsA(statement, TruncateStmt)) {
    return PrepareTruncate(reinterpret_cast<const TruncateStmt*>(statement));
  }
  if (!IsA(statement, AlterTableStmt)) return absl::OkStatus();
  const auto* alter = reinterpret_cast<const AlterTableStmt*>(statement);
  for (int i = 0; i < list_length(alter->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(alter->cmds, i));
    TVIEWS_RETURN_IF_ERROR(NoteConcurrentDetach(alter, command));
    TVIEWS_RETURN_IF_ERROR(NoteDeparture(alter, command));
    const bool attaches = command->subtype == AT_AttachPartition;
    if (!attaches && command->subtype != AT_AddInherit) continue;
    Oid altered = InvalidOid;
    Oid child = InvalidOid;
    bool is_owner = false;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      altered = RangeVarGetRelid(alter->relation, NoLock, true);
      child = !attaches
                  ? altered
                  : RangeVarGetRelid(reinterpret_cast<const PartitionCmd*>(command->def)->name,
                                     NoLock, true);
      is_owner = altered != InvalidOid && child != InvalidOid &&
                 pg::compat::OwnsRelation(child, GetUserId());
    }));
    if (!is_owner) continue;  // the command fails
    if (!attaches) {
      TVIEWS_RETURN_IF_ERROR(MakeRoomForInherit(child));
      continue;
    }
    TVIEWS_RETURN_IF_ERROR(MakeRoomForAttach(altered, child));
  }
  return absl::OkStatus();
}

absl::Status RunAftermath(const Aftermath& aftermath) {
  // First: nobody can analyse a view that is out of the way.
  TVIEWS_ASSIGN_OR_RETURN(const bool types_differ, FinishRetyping(aftermath.retyping));
  const Differences differences = {.in_rows = aftermath.rows_may_differ,
                                   .in_whole_rows = aftermath.changes_columns || types_differ};
  for (int i = 0; i < list_length(aftermath.unseen_changes); ++i) {
    TVIEWS_RETURN_IF_ERROR(NoteWholeRelation(list_nth_oid(aftermath.unseen_changes, i)));
  }
  TVIEWS_RETURN_IF_ERROR(FollowMeaning(aftermath));
  if (aftermath.schema != 0) TVIEWS_RETURN_IF_ERROR(RelabelSchema(aftermath.schema));
  if (aftermath.is_rename_elsewhere) {
    TVIEWS_RETURN_IF_ERROR(RederiveLookups(aftermath.renamed));
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> typed, TypedTables(Ids(aftermath.types)));
  for (const RelationId relation : typed) {
    TVIEWS_RETURN_IF_ERROR(FollowAltered(relation, Tree::kStays, differences));
  }
  for (int i = 0; i < list_length(aftermath.relations); ++i) {
    TVIEWS_RETURN_IF_ERROR(FollowAltered(list_nth_oid(aftermath.relations, i),
                                         aftermath.changes_tree ? Tree::kChanges : Tree::kStays,
                                         differences));
  }
  for (int i = 0; i < list_length(aftermath.arriving); ++i) {
    TVIEWS_RETURN_IF_ERROR(NoteArrivedRows(list_nth_oid(aftermath.arriving, i)));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
