#include "backend/ddl/relation_files.h"

#include <utility>

#include "shared/pg/boundary/postgres_begin.h"
#include <access/heapam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <access/toast_internals.h>
#include <access/xact.h>
#include <catalog/dependency.h>
#include <catalog/heap.h>
#include <catalog/index.h>
#include <catalog/indexing.h>
#include <catalog/pg_class.h>
#include <commands/tablecmds.h>
#include <storage/lmgr.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct ClassRow {
  HeapTuple tuple;
  Form_pg_class form;
};

ClassRow CopyClassRow(Oid relation) {
  HeapTuple const tuple = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", relation);
  return {tuple, reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))};
}

// The file of `relation` is of before this transaction, that of `other` is what `relation` had.
void ExchangeAge(Oid relation, Oid other) {
  Relation const opened = relation_open(relation, NoLock);
  Relation const other_opened = relation_open(other, NoLock);
  pg::compat::ExchangeAgeOfFiles(opened, other_opened);
  relation_close(other_opened, NoLock);
  relation_close(opened, NoLock);
}

void DependOnlyOn(Oid toast, Oid table) {
  if (!OidIsValid(toast)) return;
  const ObjectAddress dependent = {RelationRelationId, toast, 0};
  const ObjectAddress owner = {RelationRelationId, table, 0};
  deleteDependencyRecordsFor(RelationRelationId, toast, false);
  recordDependencyOn(&dependent, &owner, DEPENDENCY_INTERNAL);
}

// Options such as toast.autovacuum_enabled stay with the table.
void ExchangeOptions(Relation classes, Oid relation, Oid other) {
  if (!OidIsValid(relation) || !OidIsValid(other)) return;
  const ClassRow first = CopyClassRow(relation);
  const ClassRow second = CopyClassRow(other);
  const TupleDesc columns = RelationGetDescr(classes);
  Datum values[Natts_pg_class] = {};
  bool nulls[Natts_pg_class] = {};
  bool replaced[Natts_pg_class] = {};
  constexpr int kPlace = Anum_pg_class_reloptions - 1;
  replaced[kPlace] = true;
  for (const auto& [row, from] : {std::pair(first, second), std::pair(second, first)}) {
    values[kPlace] = heap_getattr(from.tuple, Anum_pg_class_reloptions, columns, &nulls[kPlace]);
    HeapTuple const changed = heap_modify_tuple(row.tuple, columns, values, nulls, replaced);
    CatalogTupleUpdate(classes, &row.tuple->t_self, changed);
  }
  CommandCounterIncrement();
}

void StartNewFile(Oid relation) {
  Relation const opened = relation_open(relation, AccessExclusiveLock);
  pg::compat::SetNewFile(opened);
  relation_close(opened, NoLock);
}

}  // namespace

void EmptyTable(RelationId table) {
  Relation const opened = table_open(table, AccessExclusiveLock);
  CheckTableNotInUse(opened, "pg_tviews_replace_finish");
  if (pg::compat::HasNewFile(opened)) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot exchange the rows of \"%s\"", RelationGetRelationName(opened)),
                    errdetail("The table was written anew by this transaction."),
                    errhint("Call pg_tviews_replace_finish() in a transaction of its own.")));
  }
  const Oid toast = opened->rd_rel->reltoastrelid;
  table_close(opened, NoLock);
  StartNewFile(table);
  if (OidIsValid(toast)) StartNewFile(toast);
  pg::compat::ReindexAll(table);
}

void ExchangeFiles(RelationId relation, RelationId other) {
  Relation const classes = table_open(RelationRelationId, RowExclusiveLock);
  const ClassRow first = CopyClassRow(relation);
  const ClassRow second = CopyClassRow(other);
  if (first.form->relam != second.form->relam ||
      first.form->relpersistence != second.form->relpersistence) {
    elog(ERROR, "relations %u and %u are stored in different ways", relation, other);
  }
  ExchangeAge(relation, other);
  std::swap(first.form->relfilenode, second.form->relfilenode);
  std::swap(first.form->reltablespace, second.form->reltablespace);
  std::swap(first.form->reltoastrelid, second.form->reltoastrelid);
  std::swap(first.form->relfrozenxid, second.form->relfrozenxid);
  std::swap(first.form->relminmxid, second.form->relminmxid);
  const FormData_pg_class before = *first.form;
  pg::compat::TakeSizes(first.form, *second.form);
  pg::compat::TakeSizes(second.form, before);
  CatalogTupleUpdate(classes, &first.tuple->t_self, first.tuple);
  CatalogTupleUpdate(classes, &second.tuple->t_self, second.tuple);
  DependOnlyOn(first.form->reltoastrelid, relation);
  DependOnlyOn(second.form->reltoastrelid, other);
  CommandCounterIncrement();
  ExchangeOptions(classes, first.form->reltoastrelid, second.form->reltoastrelid);
  table_close(classes, RowExclusiveLock);
}

void RenameToast(RelationId table) {
  Relation const opened = table_open(table, NoLock);
  const Oid toast = opened->rd_rel->reltoastrelid;
  table_close(opened, NoLock);
  if (!OidIsValid(toast)) return;
  const Oid index = toast_get_valid_index(toast, NoLock);
  char name[NAMEDATALEN];
  pg_snprintf(name, sizeof(name), "pg_toast_%u", table);
  RenameRelationInternal(toast, name, true, false);
  pg_snprintf(name, sizeof(name), "pg_toast_%u_index", table);
  RenameRelationInternal(index, name, true, true);
  CommandCounterIncrement();
}

void MoveStatistics(RelationId from, RelationId to) {
  bool is_known = false;
  const ClassRow row = CopyClassRow(from);
  const AttrNumber columns = row.form->relnatts;
  for (AttrNumber column = 1; column <= columns && !is_known; ++column) {
    is_known = SearchSysCacheExists3(STATRELATTINH, ObjectIdGetDatum(from), Int16GetDatum(column),
                                     BoolGetDatum(false));
  }
  if (!is_known) return;
  RemoveStatistics(to, 0);
  CommandCounterIncrement();
  CopyStatistics(from, to);
  CommandCounterIncrement();
}

}  // namespace tviews::backend
