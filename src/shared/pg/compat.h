// Every difference between PostgreSQL 15 and 18 that our sources meet, except the export macro of
// postgres_begin.h. The only header that includes server headers: it stands last in a block of
// them.
//
// Layer:   pg
// Sharing: immutable
// Errors:  those of the server's functions
//
// Each entry names the version with which its older half can go.

#ifndef PG_TVIEWS_SHARED_PG_COMPAT_H_
#define PG_TVIEWS_SHARED_PG_COMPAT_H_

#include <access/transam.h>
#include <catalog/pg_class.h>
#include <executor/executor.h>
#include <nodes/parsenodes.h>
#include <optimizer/optimizer.h>
#include <storage/proc.h>
#include <utils/acl.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#if PG_VERSION_NUM >= 160000
#include <nodes/multibitmapset.h>
#include <parser/parse_relation.h>
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

// 18: an executor may be run again.
#if PG_VERSION_NUM >= 180000
#define TVIEWS_EXECUTE_ONCE_PARAMETER
#define TVIEWS_EXECUTE_ONCE
#else
#define TVIEWS_EXECUTE_ONCE_PARAMETER , bool execute_once
#define TVIEWS_EXECUTE_ONCE , execute_once
#endif

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

// 16: got the planner's state, which is null outside the planner.
inline Node* FlattenJoinAliases(Query* query, Node* node) {
#if PG_VERSION_NUM >= 160000
  return flatten_join_alias_vars(nullptr, query, node);
#else
  return flatten_join_alias_vars(query, node);
#endif
}

}  // namespace tviews::pg::compat

#endif  // PG_TVIEWS_SHARED_PG_COMPAT_H_
