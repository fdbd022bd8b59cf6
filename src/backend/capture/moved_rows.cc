#include "backend/capture/moved_rows.h"

#include <set>
#include <vector>

#include "backend/capture/transaction.h"
#include "backend/capture/trigger_function.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/inheritors.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/heapam.h>
#include <access/table.h>
#include <access/tableam.h>
#include <catalog/namespace.h>
#include <catalog/partition.h>
#include <catalog/pg_class.h>
#include <catalog/pg_inherits.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/parsenodes.h>
#include <storage/bufmgr.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// What the TRUNCATE that is running finds noted already.
std::set<RelationId>& NotedTruncates() {
  static NoDestructor<std::set<RelationId>> noted;
  return *noted;
}

std::set<RelationId>& NotedDrops() {
  static NoDestructor<std::set<RelationId>> noted;
  return *noted;
}

absl::StatusOr<std::vector<RelationId>> Members(RelationId relation, LOCKMODE mode) {
  TVIEWS_ASSIGN_OR_RETURN(List* const found,
                          pg::CallFor([=] { return pg::FindInheritors(relation, mode); }));
  std::vector<RelationId> members;
  for (int i = 0; i < list_length(found); ++i) members.push_back(list_nth_oid(found, i));
  return members;
}

struct RowScan {
  Relation table;
  Snapshot snapshot;
  TableScanDesc scan;
  TupleTableSlot* row;
};

// The latest snapshot: what it does not see is gone, or is this transaction's and noted.
RowScan Open(Oid relation) {
  RowScan rows{};
  rows.table = table_open(relation, AccessShareLock);
  rows.snapshot = RegisterSnapshot(GetLatestSnapshot());
  rows.scan = table_beginscan(rows.table, rows.snapshot, 0, nullptr);
  rows.row = table_slot_create(rows.table, nullptr);
  return rows;
}

bool Next(const RowScan& rows, int attributes) {
  CHECK_FOR_INTERRUPTS();
  if (!table_scan_getnextslot(rows.scan, ForwardScanDirection, rows.row)) return false;
  if (attributes > 0) slot_getsomeattrs(rows.row, attributes);
  return true;
}

void Close(const RowScan& rows) {
  ExecDropSingleTupleTableSlot(rows.row);
  table_endscan(rows.scan);
  UnregisterSnapshot(rows.snapshot);
  table_close(rows.table, NoLock);
}

absl::Status NoteRowsOfOne(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const char kind,
                          pg::CallFor([relation] { return get_rel_relkind(relation); }));
  if (kind == RELKIND_PARTITIONED_TABLE) return absl::OkStatus();
  // Nobody knows which rows a foreign table has, or will have in a moment.
  if (kind != RELKIND_RELATION) return NoteWholeRelation(relation);
  RowScan rows{};
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { rows = Open(relation); }));
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
  while (!config->targets.empty()) {
    bool has_row = false;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { has_row = Next(rows, config->highest_attribute); }));
    if (!has_row) break;
    TVIEWS_RETURN_IF_ERROR(CaptureTrigger::ReadVersion(*config, *rows.row));
  }
  return pg::Call([&] { Close(rows); });
}

bool HasNoBlocks(Oid relation) {
  const char kind = get_rel_relkind(relation);
  if (kind == RELKIND_PARTITIONED_TABLE) return true;
  if (kind != RELKIND_RELATION) return false;
  Relation const table = table_open(relation, NoLock);
  const bool is_empty = RelationGetNumberOfBlocks(table) == 0;
  table_close(table, NoLock);
  return is_empty;
}

// The partition or inheritor that the command names, locked as the server will lock it: a
// partition's parent first. 0 if it is none, or not the user's.
Oid LockToDrop(List* name) {
  RangeVar* const range = makeRangeVarFromNameList(name);
  const Oid relation = RangeVarGetRelid(range, NoLock, true);
  if (!OidIsValid(relation) || !has_superclass(relation)) return InvalidOid;
  if (!pg::compat::OwnsRelation(relation, GetUserId())) return InvalidOid;
  if (get_rel_relispartition(relation)) {
    LockRelationOid(get_partition_parent(relation, true), AccessExclusiveLock);
  }
  LockRelationOid(relation, AccessExclusiveLock);
  return RangeVarGetRelid(range, NoLock, true) == relation ? relation : InvalidOid;
}

// True if the user may truncate it, so that its locks are theirs to take.
bool MayTruncate(Oid relation) {
  return pg_class_aclcheck(relation, GetUserId(), ACL_TRUNCATE) == ACLCHECK_OK;
}

absl::Status PrepareToTruncate(RelationId relation, bool with_inheritors) {
  TVIEWS_ASSIGN_OR_RETURN(const bool may,
                          pg::CallFor([relation] { return MayTruncate(relation); }));
  if (!may) return absl::OkStatus();
  std::vector<RelationId> members = {relation};
  if (with_inheritors) {
    TVIEWS_ASSIGN_OR_RETURN(members, Members(relation, AccessExclusiveLock));
  }
  // Where all of a table goes, its rows need not be looked at.
  TVIEWS_ASSIGN_OR_RETURN(const bool is_part,
                          pg::CallFor([relation] { return has_superclass(relation); }));
  for (const RelationId member : members) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_empty,
                            pg::CallFor([member] { return HasNoBlocks(member); }));
    if (!is_empty && !is_part) continue;
    if (!is_empty) TVIEWS_RETURN_IF_ERROR(NoteRowsOfOne(member));
    NotedTruncates().insert(member);
  }
  return absl::OkStatus();
}

absl::Status NoteRowsOfMembers(RelationId relation, LOCKMODE mode) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> members, Members(relation, mode));
  for (const RelationId member : members) TVIEWS_RETURN_IF_ERROR(NoteRowsOfOne(member));
  return absl::OkStatus();
}

}  // namespace

absl::Status NoteRows(RelationId relation) { return NoteRowsOfMembers(relation, NoLock); }

absl::Status NoteArrivedRows(RelationId relation) {
  return NoteRowsOfMembers(relation, ShareRowExclusiveLock);
}

absl::StatusOr<bool> IsKnownToBeEmpty(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> members, Members(relation, NoLock));
  for (const RelationId member : members) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_empty,
                            pg::CallFor([member] { return HasNoBlocks(member); }));
    if (!is_empty) return false;
  }
  return true;
}

absl::Status PrepareTruncate(const TruncateStmt* statement) {
  ForgetNoted();
  for (int i = 0; i < list_length(statement->relations); ++i) {
    const auto* const name = static_cast<RangeVar*>(list_nth(statement->relations, i));
    TVIEWS_ASSIGN_OR_RETURN(const Oid relation,
                            pg::CallFor([name] { return RangeVarGetRelid(name, NoLock, true); }));
    if (relation == InvalidOid) continue;
    TVIEWS_RETURN_IF_ERROR(PrepareToTruncate(relation, name->inh));
  }
  return absl::OkStatus();
}

bool IsTruncateNoted(RelationId relation) { return NotedTruncates().contains(relation); }

absl::Status PrepareDrop(const DropStmt* statement) {
  ForgetNoted();
  if (statement->removeType != OBJECT_TABLE) return absl::OkStatus();
  for (int i = 0; i < list_length(statement->objects); ++i) {
    auto* const name = static_cast<List*>(list_nth(statement->objects, i));
    TVIEWS_ASSIGN_OR_RETURN(const Oid relation, pg::CallFor([name] { return LockToDrop(name); }));
    if (relation == InvalidOid) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> members,
                            Members(relation, AccessExclusiveLock));
    for (const RelationId member : members) {
      TVIEWS_RETURN_IF_ERROR(NoteRowsOfOne(member));
      NotedDrops().insert(member);
    }
  }
  return absl::OkStatus();
}

bool IsDropNoted(RelationId relation) { return NotedDrops().contains(relation); }

void ForgetNoted() {
  NotedTruncates().clear();
  NotedDrops().clear();
}

}  // namespace tviews::backend
