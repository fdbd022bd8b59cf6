// Every difference between PostgreSQL 15 and 18 that our sources meet, except the export macro of
// postgres_begin.h. The only header that includes server headers: it stands last in a block of
// them.
//
// Layer:   pg
// Sharing: immutable
// Errors:  those of the server's functions
//
// Each entry names the version with which its older half can go.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_COMPAT_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_COMPAT_H_

#include <access/genam.h>
#include <access/tableam.h>
#include <access/transam.h>
#include <catalog/index.h>
#include <catalog/pg_class.h>
#include <catalog/pg_collation.h>
#include <catalog/pg_database.h>
#include <catalog/pg_namespace.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_ts_config.h>
#include <catalog/pg_ts_dict.h>
#include <catalog/pg_type.h>
#include <executor/executor.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <optimizer/optimizer.h>
#include <parser/parsetree.h>
#include <replication/message.h>
#include <storage/proc.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include <utils/regproc.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#if PG_VERSION_NUM >= 160000
#include <nodes/multibitmapset.h>
#include <parser/parse_relation.h>
#include <rewrite/rewriteManip.h>
#include <varatt.h>  // 16: split from postgres.h
#endif

namespace tviews::pg::compat {

// 16: what a statement may do to a relation moved from the range table to a list of its own.
#if PG_VERSION_NUM >= 160000
#define TVIEWS_CHECK_PERMS_PARAMETERS List *range_table, List *checked, bool raise
#define TVIEWS_CHECK_PERMS_ARGUMENTS range_table, checked, raise
using CheckedRelation = RTEPermissionInfo;
#else
#define TVIEWS_CHECK_PERMS_PARAMETERS List *checked, bool raise
#define TVIEWS_CHECK_PERMS_ARGUMENTS checked, raise
using CheckedRelation = RangeTblEntry;
#endif

// 16: tree walkers and mutators are declared with their parameters.
#if PG_VERSION_NUM >= 160000
using ServerWalker = bool (*)(Node*, void*);
using ServerMutator = Node* (*)(Node*, void*);
#else
using ServerWalker = bool (*)();
using ServerMutator = Node* (*)();
#endif

// Through void (*)(), which compilers take for "any function".
inline ServerWalker ForServer(bool (*walker)(Node*, void*)) {
  return reinterpret_cast<ServerWalker>(reinterpret_cast<void (*)()>(walker));
}
inline ServerMutator MutatorForServer(Node* (*mutator)(Node*, void*)) {
  return reinterpret_cast<ServerMutator>(reinterpret_cast<void (*)()>(mutator));
}

// 18: an executor may be run again.
#if PG_VERSION_NUM >= 180000
#define TVIEWS_EXECUTE_ONCE_PARAMETER
#define TVIEWS_EXECUTE_ONCE
#else
#define TVIEWS_EXECUTE_ONCE_PARAMETER , bool execute_once
#define TVIEWS_EXECUTE_ONCE , execute_once
#endif

// 16: malformed names can be told to the caller instead of raised.
inline List* QualifiedNames(const char* text) {
#if PG_VERSION_NUM >= 160000
  return stringToQualifiedNameList(text, nullptr);
#else
  return stringToQualifiedNameList(text);
#endif
}

// 18: asks every ordered access method. What an operator compares has the number that btree gives
// it.
inline List* MeaningsOf(Oid comparison) {
#if PG_VERSION_NUM >= 180000
  return get_op_index_interpretation(comparison);
#else
  return get_op_btree_interpretation(comparison);
#endif
}
inline int StrategyOf(const List* meanings) {
#if PG_VERSION_NUM >= 180000
  return static_cast<OpIndexInterpretation*>(linitial(meanings))->cmptype;
#else
  return static_cast<OpBtreeInterpretation*>(linitial(meanings))->strategy;
#endif
}

// 18: an executor may be run again.
inline void RunToEnd(QueryDesc* query) {
#if PG_VERSION_NUM >= 180000
  ExecutorRun(query, ForwardScanDirection, 0);
#else
  ExecutorRun(query, ForwardScanDirection, 0, true);
#endif
}

// 18: asks whether a deferrable one will do.
inline Oid PrimaryKeyOf(Relation relation) {
#if PG_VERSION_NUM >= 180000
  return RelationGetPrimaryKeyIndex(relation, false);
#else
  return RelationGetPrimaryKeyIndex(relation);
#endif
}

// 16: one function for all classes of objects.
inline bool OwnsRelation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, relation, role);
#else
  return pg_class_ownercheck(relation, role);
#endif
}

// The same of what a query may use besides relations: 15 has a function for each class of objects.
inline bool OwnsObject(Oid object_class, Oid object, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(object_class, object, role);
#else
  switch (object_class) {
    case ProcedureRelationId:
      return pg_proc_ownercheck(object, role);
    case TypeRelationId:
      return pg_type_ownercheck(object, role);
    case TSConfigRelationId:
      return pg_ts_config_ownercheck(object, role);
    case TSDictionaryRelationId:
      return pg_ts_dict_ownercheck(object, role);
    case CollationRelationId:
      return pg_collation_ownercheck(object, role);
    case DatabaseRelationId:
      return pg_database_ownercheck(object, role);
    default:
      return false;
  }
#endif
}

// 16: the same for privileges.
inline bool MayCreateIn(Oid schema, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(NamespaceRelationId, schema, role, ACL_CREATE) == ACLCHECK_OK;
#else
  return pg_namespace_aclcheck(schema, role, ACL_CREATE) == ACLCHECK_OK;
#endif
}

// 17: renamed.
inline TransactionId OldestClogXid() {
#if PG_VERSION_NUM >= 170000
  return TransamVariables->oldestClogXid;
#else
  return ShmemVariableCache->oldestClogXid;
#endif
}

// 17: the number follows from the place in the array.
inline int NumberOfMyProc() {
#if PG_VERSION_NUM >= 170000
  return MyProcNumber;
#else
  return MyProc->pgprocno;
#endif
}

// 18: NOT NULL may be declared without being true of the rows that are there (NOT VALID).
inline bool IsKnownNotNull(Relation relation, AttrNumber attribute) {
  const TupleDesc columns = RelationGetDescr(relation);
#if PG_VERSION_NUM >= 180000
  return TupleDescCompactAttr(columns, attribute - 1)->attnullability == ATTNULLABLE_VALID;
#else
  return TupleDescAttr(columns, attribute - 1)->attnotnull;
#endif
}

// 18: a generated column may be virtual: computed when it is read, and null in a trigger's rows.
inline bool IsVirtualColumn([[maybe_unused]] Relation relation,
                            [[maybe_unused]] AttrNumber attribute) {
#if PG_VERSION_NUM >= 180000
  return TupleDescAttr(RelationGetDescr(relation), attribute - 1)->attgenerated ==
         ATTRIBUTE_GENERATED_VIRTUAL;
#else
  return false;
#endif
}

// 16: an update may concern the summarising indexes (BRIN) only, the row staying where it is.
#if PG_VERSION_NUM >= 160000
using UpdatedIndexes = TU_UpdateIndexes;
#else
using UpdatedIndexes = bool;
#endif

// 17: says whether to flush at once, which a transaction that commits need not.
inline void LogTransactionalMessage(const char* prefix, const char* text, std::size_t size) {
#if PG_VERSION_NUM >= 170000
  LogLogicalMessage(prefix, text, size, true, false);
#else
  LogLogicalMessage(prefix, text, size, true);
#endif
}

inline void InsertIndexEntries(ResultRelInfo* result, TupleTableSlot* row, EState* estate) {
  if (result->ri_NumIndices == 0) return;
#if PG_VERSION_NUM >= 160000
  ExecInsertIndexTuples(result, row, estate, false, false, nullptr, NIL, false);
#else
  ExecInsertIndexTuples(result, row, estate, false, false, nullptr, NIL);
#endif
}

inline void UpdateIndexEntries(ResultRelInfo* result, TupleTableSlot* row, EState* estate,
                               UpdatedIndexes indexes) {
  if (!indexes || result->ri_NumIndices == 0) return;
#if PG_VERSION_NUM >= 160000
  ExecInsertIndexTuples(result, row, estate, true, false, nullptr, NIL, indexes == TU_Summarizing);
#else
  ExecInsertIndexTuples(result, row, estate, true, false, nullptr, NIL);
#endif
}

// 18: may count what it does for EXPLAIN.
inline IndexScanDesc BeginIndexScan(Relation table, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 180000
  return index_beginscan(table, index, snapshot, nullptr, keys, 0);
#else
  return index_beginscan(table, index, snapshot, keys, 0);
#endif
}

// 16: files are called by locators.
inline void SetNewFile(Relation relation) {
#if PG_VERSION_NUM >= 160000
  RelationSetNewRelfilenumber(relation, relation->rd_rel->relpersistence);
#else
  RelationSetNewRelfilenode(relation, relation->rd_rel->relpersistence);
#endif
}

// True if the file is of this transaction.
inline bool HasNewFile(Relation relation) {
#if PG_VERSION_NUM >= 160000
  return relation->rd_createSubid != InvalidSubTransactionId ||
         relation->rd_firstRelfilelocatorSubid != InvalidSubTransactionId;
#else
  return relation->rd_createSubid != InvalidSubTransactionId ||
         relation->rd_firstRelfilenodeSubid != InvalidSubTransactionId;
#endif
}

// `relation` has the file that `other` had, which is of before this transaction, and the other way
// round: whether changes have to be logged follows from that.
inline void ExchangeAgeOfFiles(Relation relation, Relation other) {
#if PG_VERSION_NUM >= 160000
  if (HasNewFile(relation)) RelationAssumeNewRelfilelocator(other);
  relation->rd_newRelfilelocatorSubid = InvalidSubTransactionId;
  relation->rd_firstRelfilelocatorSubid = InvalidSubTransactionId;
#else
  if (HasNewFile(relation)) RelationAssumeNewRelfilenode(other);
  relation->rd_newRelfilenodeSubid = InvalidSubTransactionId;
  relation->rd_firstRelfilenodeSubid = InvalidSubTransactionId;
#endif
}

// 17: the statement that asks for it comes first.
inline void ReindexAll(Oid table) {
  ReindexParams parameters = {};
#if PG_VERSION_NUM >= 170000
  reindex_relation(nullptr, table, REINDEX_REL_PROCESS_TOAST, &parameters);
#else
  reindex_relation(table, REINDEX_REL_PROCESS_TOAST, &parameters);
#endif
}

// 18: one more number of pages.
inline void TakeSizes(Form_pg_class to, const FormData_pg_class& from) {
  to->relpages = from.relpages;
  to->reltuples = from.reltuples;
  to->relallvisible = from.relallvisible;
#if PG_VERSION_NUM >= 180000
  to->relallfrozen = from.relallfrozen;
#endif
}

// 16: got the planner's state, which is null outside the planner.
inline Node* FlattenJoinAliases(Query* query, Node* node) {
#if PG_VERSION_NUM >= 160000
  return flatten_join_alias_vars(nullptr, query, node);
#else
  return flatten_join_alias_vars(query, node);
#endif
}

// Takes the relation of another query into this one's range table, to be read as `user`; its
// number. 16: every relation of a query's own has an entry in a list of rights, which the planner
// reads.
inline int AppendRelationOf(const Query* other, int entry, Oid user, Query* query) {
  RangeTblEntry* const table = rt_fetch(entry, other->rtable);
#if PG_VERSION_NUM >= 160000
  RTEPermissionInfo* const rights = getRTEPermissionInfo(other->rteperminfos, table);
  query->rteperminfos = lappend(query->rteperminfos, rights);
  table->perminfoindex = static_cast<Index>(list_length(query->rteperminfos));
#else
  RangeTblEntry* const rights = table;
#endif
  rights->checkAsUser = user;
  query->rtable = lappend(query->rtable, table);
  return list_length(query->rtable);
}

// 16: columns say which outer joins may make them null. Of `entry` in `node`, the join `join` may.
inline Node* NulledBy(Node* node, [[maybe_unused]] int entry, [[maybe_unused]] int join) {
#if PG_VERSION_NUM >= 160000
  return add_nulling_relids(node, bms_make_singleton(entry), bms_make_singleton(join));
#else
  return node;
#endif
}

// 18: what follows GROUP BY reads its columns through a range table entry of its own.
inline void FlattenGroupedColumns([[maybe_unused]] Query* query) {
#if PG_VERSION_NUM >= 180000
  if (!query->hasGroupRTE) return;
  query->targetList = reinterpret_cast<List*>(
      flatten_group_exprs(nullptr, query, reinterpret_cast<Node*>(query->targetList)));
  query->havingQual = flatten_group_exprs(nullptr, query, query->havingQual);
  query->hasGroupRTE = false;
  ListCell* cell;
  foreach (cell, query->rtable) {
    auto* entry = static_cast<RangeTblEntry*>(lfirst(cell));
    if (entry->rtekind != RTE_GROUP) continue;
    entry->rtekind = RTE_RESULT;
    entry->groupexprs = NIL;
  }
#endif
}

}  // namespace tviews::pg::compat

#if PG_VERSION_NUM >= 180000  // split from commands/explain.h
#include <commands/explain_format.h>
#include <commands/explain_state.h>
#endif

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_COMPAT_H_
