#include "backend/ddl/aftermath.h"

#include <string>
#include <string_view>
#include <vector>

#include "backend/capture/moved_rows.h"
#include "backend/capture/transaction.h"
#include "backend/capture/trigger_installation.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/ddl/meaning_locks.h"
#include "backend/ddl/pinned_names.h"
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
#include <access/xact.h>
#include <catalog/namespace.h>
#include <catalog/pg_cast.h>
#include <catalog/pg_class.h>
#include <catalog/pg_collation.h>
#include <catalog/pg_inherits.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_ts_config.h>
#include <catalog/pg_ts_dict.h>
#include <catalog/pg_type.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <parser/parse_type.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// --- Before the command. What follows up to PlanAftermath runs inside Call.

void AddRelation(const RangeVar* name, Aftermath* aftermath) {
  if (name == nullptr) return;
  const Oid relation = RangeVarGetRelid(name, NoLock, true);
  if (relation == InvalidOid) return;
  aftermath->relations = list_append_unique_oid(aftermath->relations, relation);
}

// How rows are stored, and what the planner believes about them: nothing that a query sees, nor
// anything of the relation that TVIEWs depend on.
bool IsAboutStorage(AlterTableType type) {
  switch (type) {
    case AT_SetStatistics:
    case AT_SetOptions:
    case AT_ResetOptions:
    case AT_SetStorage:
    case AT_SetCompression:
    case AT_ClusterOn:
    case AT_DropCluster:
    case AT_SetTableSpace:
    case AT_SetRelOptions:
    case AT_ResetRelOptions:
    case AT_ReplicaIdentity:
      return true;
    default:
      return false;
  }
}

// Also a statement of which nothing is left.
bool ConcernsNobody(const AlterTableStmt* statement) {
  if (statement->objtype != OBJECT_TABLE) return false;  // options of a view are of its meaning
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    if (!IsAboutStorage(command->subtype)) return false;
  }
  const Oid relation = RangeVarGetRelid(statement->relation, NoLock, true);
  const char kind = OidIsValid(relation) ? get_rel_relkind(relation) : '\0';
  return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

List* AddOid(List* relations, const RangeVar* name) {
  const Oid relation = RangeVarGetRelid(name, NoLock, true);
  return OidIsValid(relation) ? list_append_unique_oid(relations, relation) : relations;
}

void PlanAlterTable(const AlterTableStmt* statement, Aftermath* aftermath) {
  if (ConcernsNobody(statement)) return;
  AddRelation(statement->relation, aftermath);
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    switch (command->subtype) {
      case AT_AttachPartition: {
        const RangeVar* const name = reinterpret_cast<const PartitionCmd*>(command->def)->name;
        AddRelation(name, aftermath);
        aftermath->changes_tree = true;
        aftermath->arriving = AddOid(aftermath->arriving, name);
        break;
      }
      case AT_DetachPartition:
      case AT_DetachPartitionFinalize: {
        const auto* const partition = reinterpret_cast<const PartitionCmd*>(command->def);
        AddRelation(partition->name, aftermath);
        aftermath->changes_tree = true;
        // Others see it go while the command goes on.
        aftermath->rows_may_differ |=
            partition->concurrent || command->subtype == AT_DetachPartitionFinalize;
        break;
      }
      case AT_AddColumn:
      case AT_DropColumn:
        aftermath->changes_columns = true;
        break;
      case AT_GenericOptions:
      case AT_AlterColumnGenericOptions:
        aftermath->rows_may_differ = true;  // a foreign table may stand for another one now
        break;
      case AT_AddInherit:
        AddRelation(reinterpret_cast<const RangeVar*>(command->def), aftermath);
        aftermath->changes_tree = true;
        aftermath->arriving = AddOid(aftermath->arriving, statement->relation);
        break;
      case AT_DropInherit:
        AddRelation(reinterpret_cast<const RangeVar*>(command->def), aftermath);
        aftermath->changes_tree = true;
        break;
      default:
        break;
    }
  }
}

// Foreign tables have no TRUNCATE triggers.
void PlanTruncate(const TruncateStmt* statement, Aftermath* aftermath) {
  for (int i = 0; i < list_length(statement->relations); ++i) {
    const auto* const name = static_cast<RangeVar*>(list_nth(statement->relations, i));
    const Oid relation = RangeVarGetRelid(name, NoLock, true);
    if (relation == InvalidOid) continue;
    List* const members =
        name->inh ? find_all_inheritors(relation, NoLock, nullptr) : list_make1_oid(relation);
    for (int k = 0; k < list_length(members); ++k) {
      const Oid member = list_nth_oid(members, k);
      if (get_rel_relkind(member) != RELKIND_FOREIGN_TABLE) continue;
      aftermath->unseen_changes = lappend_oid(aftermath->unseen_changes, member);
    }
  }
}

// True for objects whose names the text of a lookup may contain, besides relations and columns.
bool IsNamedInLookups(ObjectType type) {
  switch (type) {
    case OBJECT_AGGREGATE:
    case OBJECT_ATTRIBUTE:
    case OBJECT_COLLATION:
    case OBJECT_DOMAIN:
    case OBJECT_EXTENSION:
    case OBJECT_FUNCTION:
    case OBJECT_OPERATOR:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_SCHEMA:
    case OBJECT_TYPE:
      return true;
    default:
      return false;
  }
}

// The name of what is renamed or moved, without its schema; null where many objects move.
const char* LastName(const Node* object, const char* subname) {
  if (object == nullptr) return subname;  // a schema
  if (IsA(object, ObjectWithArgs)) {
    object =
        reinterpret_cast<const Node*>(reinterpret_cast<const ObjectWithArgs*>(object)->objname);
  }
  return IsA(object, List) ? strVal(llast(reinterpret_cast<const List*>(object))) : nullptr;
}

// All functions with this name: those that the command has written are found out afterwards.
void AddFunctions(List* name, Aftermath* aftermath) {
  FuncCandidateList candidate = FuncnameGetCandidates(name, -1, NIL, false, false, false, true);
  for (; candidate != nullptr; candidate = candidate->next) {
    aftermath->functions = lappend_oid(aftermath->functions, candidate->oid);
  }
}

// The types of the rows of a relation whose columns are changed, and of its inheritors: other
// relations may have columns of them.
void AddRowTypes(const RangeVar* name, Aftermath* aftermath) {
  const Oid relation = RangeVarGetRelid(name, NoLock, true);
  if (relation == InvalidOid) return;
  List* const members = find_all_inheritors(relation, NoLock, nullptr);
  for (int i = 0; i < list_length(members); ++i) {
    const Oid type = get_rel_type_id(list_nth_oid(members, i));
    if (OidIsValid(type)) aftermath->types = lappend_oid(aftermath->types, type);
  }
}

bool ChangesColumns(const AlterTableStmt* statement) {
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    switch (static_cast<AlterTableCmd*>(list_nth(statement->cmds, i))->subtype) {
      case AT_AddColumn:
      case AT_DropColumn:
      case AT_AlterColumnType:
        return true;
      default:
        break;
    }
  }
  return false;
}

bool RenamesColumn(const RenameStmt* statement) {
  return statement->renameType == OBJECT_COLUMN || statement->renameType == OBJECT_ATTRIBUTE;
}

// Commands that change what an object means, but neither a relation nor a row.
void PlanMeaning(const Node* statement, Aftermath* aftermath) {
  switch (nodeTag(statement)) {
    case T_AlterEnumStmt: {
      const auto* alter = reinterpret_cast<const AlterEnumStmt*>(statement);
      if (alter->oldVal == nullptr) break;
      const TypeName* const name = makeTypeNameFromNameList(alter->typeName);
      const Oid type = LookupTypeNameOid(nullptr, name, true);
      if (OidIsValid(type)) aftermath->types = list_make1_oid(type);
      break;
    }
    case T_AlterDomainStmt: {
      // What failed for a constraint can be computed without it.
      const TypeName* const name =
          makeTypeNameFromNameList(reinterpret_cast<const AlterDomainStmt*>(statement)->typeName);
      const Oid type = LookupTypeNameOid(nullptr, name, true);
      if (OidIsValid(type)) aftermath->types = list_make1_oid(type);
      break;
    }
    case T_AlterTableStmt: {
      const auto* alter = reinterpret_cast<const AlterTableStmt*>(statement);
      if (ChangesColumns(alter)) AddRowTypes(alter->relation, aftermath);
      break;
    }
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      if (RenamesColumn(rename)) AddRowTypes(rename->relation, aftermath);
      break;
    }
    case T_CreateFunctionStmt: {
      const auto* create = reinterpret_cast<const CreateFunctionStmt*>(statement);
      if (create->replace) AddFunctions(create->funcname, aftermath);
      break;
    }
    case T_AlterFunctionStmt:
      AddFunctions(reinterpret_cast<const AlterFunctionStmt*>(statement)->func->objname, aftermath);
      break;
    case T_DefineStmt: {
      const auto* define = reinterpret_cast<const DefineStmt*>(statement);
      if (define->kind == OBJECT_AGGREGATE && define->replace) {
        AddFunctions(define->defnames, aftermath);
      }
      break;
    }
    case T_AlterTSConfigurationStmt:
      aftermath->object_class = TSConfigRelationId;
      aftermath->object = get_ts_config_oid(
          reinterpret_cast<const AlterTSConfigurationStmt*>(statement)->cfgname, true);
      break;
    case T_AlterTSDictionaryStmt:
      aftermath->object_class = TSDictionaryRelationId;
      aftermath->object = get_ts_dict_oid(
          reinterpret_cast<const AlterTSDictionaryStmt*>(statement)->dictname, true);
      break;
    case T_AlterCollationStmt:
      aftermath->object_class = CollationRelationId;
      aftermath->object =
          get_collation_oid(reinterpret_cast<const AlterCollationStmt*>(statement)->collname, true);
      break;
    default:
      break;
  }
}

void Plan(const Node* statement, Aftermath* aftermath) {
  PlanMeaning(statement, aftermath);
  switch (nodeTag(statement)) {
    case T_AlterTableStmt:
      PlanAlterTable(reinterpret_cast<const AlterTableStmt*>(statement), aftermath);
      break;
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      AddRelation(rename->relation, aftermath);
      aftermath->changes_columns = RenamesColumn(rename);
      if (rename->renameType == OBJECT_SCHEMA) {
        aftermath->schema = get_namespace_oid(rename->subname, true);
      }
      // Those of a view are the names in its rows.
      aftermath->rows_may_differ =
          RenamesColumn(rename) && aftermath->relations != nullptr &&
          get_rel_relkind(linitial_oid(aftermath->relations)) == RELKIND_VIEW;
      aftermath->is_rename_elsewhere = IsNamedInLookups(rename->renameType);
      aftermath->renamed = LastName(rename->object, rename->subname);
      break;
    }
    case T_AlterObjectSchemaStmt: {
      const auto* move = reinterpret_cast<const AlterObjectSchemaStmt*>(statement);
      AddRelation(move->relation, aftermath);
      aftermath->is_rename_elsewhere = IsNamedInLookups(move->objectType);
      aftermath->renamed = LastName(move->object, nullptr);
      break;
    }
    case T_RuleStmt: {
      // "_RETURN" of a view: the same as to replace the view.
      const auto* rule = reinterpret_cast<const RuleStmt*>(statement);
      if (rule->event != CMD_SELECT) break;
      AddRelation(rule->relation, aftermath);
      aftermath->rows_may_differ = true;
      break;
    }
    case T_RefreshMatViewStmt: {
      const auto* refresh = reinterpret_cast<const RefreshMatViewStmt*>(statement);
      const Oid relation = RangeVarGetRelid(refresh->relation, NoLock, true);
      if (relation != InvalidOid) aftermath->unseen_changes = list_make1_oid(relation);
      break;
    }
    case T_TruncateStmt:
      PlanTruncate(reinterpret_cast<const TruncateStmt*>(statement), aftermath);
      break;
    case T_CreateForeignTableStmt:
    case T_CreateStmt: {
      // A foreign table's statement begins like a table's.
      const List* const parents = reinterpret_cast<const CreateStmt*>(statement)->inhRelations;
      for (int i = 0; i < list_length(parents); ++i) {
        AddRelation(static_cast<RangeVar*>(list_nth(parents, i)), aftermath);
        aftermath->changes_tree = true;
        // A new table is empty; a new foreign table has the rows of the one that it stands for.
        aftermath->rows_may_differ |= IsA(statement, CreateForeignTableStmt);
      }
      break;
    }
    default:
      break;
  }
}

// --- After the command.

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
  return pg::ExecuteSql("ALTER VIEW " + name + " " + action).status();
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

struct Differences {
  bool in_rows = false;        // that columns of the relation show
  bool in_whole_rows = false;  // that only a reader of whole rows sees
};

absl::Status Follow(RelationId relation, bool changes_tree, Differences differences) {
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  if (is_tview) TVIEWS_RETURN_IF_ERROR(FollowTable(relation));
  TVIEWS_ASSIGN_OR_RETURN(const bool has_rows, HasRows(relation));
  if (has_rows && !is_tview) TVIEWS_RETURN_IF_ERROR(SyncCaptureTriggers(relation));
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(relation));
  if (changes_tree) TVIEWS_RETURN_IF_ERROR(LockOutAppliers(readers));
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

// A TVIEW that uses one of them may be about to be created.
absl::Status LockMeanings(const Aftermath& aftermath) {
  for (int i = 0; i < list_length(aftermath.functions); ++i) {
    TVIEWS_RETURN_IF_ERROR(
        LockToChangeMeaning(ProcedureRelationId, list_nth_oid(aftermath.functions, i)));
  }
  for (int i = 0; i < list_length(aftermath.types); ++i) {
    TVIEWS_RETURN_IF_ERROR(LockToChangeMeaning(TypeRelationId, list_nth_oid(aftermath.types, i)));
  }
  if (aftermath.object == 0) return absl::OkStatus();
  return LockToChangeMeaning(aftermath.object_class, aftermath.object);
}

}  // namespace

absl::StatusOr<Aftermath> ForeseeAftermath(const Node* statement) {
  Aftermath aftermath{};
  aftermath.generation = pg::CatalogGeneration();
  RelationId replaced = 0;
  if (IsA(statement, ViewStmt)) {
    TVIEWS_ASSIGN_OR_RETURN(replaced, ReplacedView(reinterpret_cast<const ViewStmt*>(statement)));
  }
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    if (replaced != 0) aftermath.relations = list_make1_oid(replaced);
    aftermath.rows_may_differ = replaced != 0;
    Plan(statement, &aftermath);
  }));
  return aftermath;
}

absl::StatusOr<Aftermath> PlanAftermath(const Node* statement) {
  TVIEWS_ASSIGN_OR_RETURN(const Aftermath aftermath, ForeseeAftermath(statement));
  TVIEWS_RETURN_IF_ERROR(LockMeanings(aftermath));
  return aftermath;
}

namespace {

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
  return is_owner ? NoteRowsOf(relation, false) : absl::OkStatus();
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
    TVIEWS_RETURN_IF_ERROR(Follow(relation, false, differences));
  }
  for (int i = 0; i < list_length(aftermath.relations); ++i) {
    TVIEWS_RETURN_IF_ERROR(
        Follow(list_nth_oid(aftermath.relations, i), aftermath.changes_tree, differences));
  }
  for (int i = 0; i < list_length(aftermath.arriving); ++i) {
    TVIEWS_RETURN_IF_ERROR(NoteRowsOf(list_nth_oid(aftermath.arriving, i), true));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
