#include "worker/batch/inheritance_check.h"

#include <algorithm>
#include <set>
#include <vector>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/inheritors.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/indexing.h>
#include <catalog/pg_inherits.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Appends the children of `parent` under `snapshot`, ascending.
absl::Status Children(Relation inherits, RelationId parent, Snapshot snapshot,
                      std::vector<RelationId>* children) {
  List* found = NIL;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_inherits_inhparent, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(parent));
    SysScanDesc const scan =
        systable_beginscan(inherits, InheritsParentIndexId, true, snapshot, 1, &key);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
      found = lappend_oid(found, reinterpret_cast<Form_pg_inherits>(GETSTRUCT(tuple))->inhrelid);
    }
    systable_endscan(scan);
  }));
  ListCell* cell;
  foreach (cell, found) children->push_back(lfirst_oid(cell));
  std::sort(children->begin(), children->end());
  return absl::OkStatus();
}

absl::Status CompareTree(Relation inherits, RelationId root, Snapshot then, Snapshot now) {
  std::vector<RelationId> open = {root};
  while (!open.empty()) {
    const RelationId parent = open.back();
    open.pop_back();
    std::vector<RelationId> before;
    std::vector<RelationId> after;
    TVIEWS_RETURN_IF_ERROR(Children(inherits, parent, then, &before));
    TVIEWS_RETURN_IF_ERROR(Children(inherits, parent, now, &after));
    if (before != after) {
      return pg::MakeError(absl::StatusCode::kAborted,
                           {.message = "partitions changed during a batch", .sqlstate = "40001"});
    }
    open.insert(open.end(), after.begin(), after.end());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AppendDescendants(RelationId root, std::vector<RelationId>* relations) {
  List* found = NIL;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { found = pg::FindInheritors(root, NoLock); }));
  ListCell* cell;
  foreach (cell, found) {
    if (lfirst_oid(cell) != root) relations->push_back(lfirst_oid(cell));
  }
  return absl::OkStatus();
}

absl::Status CheckInheritance(const DependencyGraph& graph, const std::vector<bool>& reachable) {
  std::set<RelationId> parents;
  for (std::size_t i = 0; i < reachable.size(); ++i) {
    if (!reachable[i]) continue;
    for (const SourceLineage& source : graph.order()[i].sources) {
      bool has_children = false;
      TVIEWS_RETURN_IF_ERROR(
          pg::Call([&] { has_children = pg::MayHaveInheritors(source.source); }));
      if (has_children) parents.insert(source.source);
    }
  }
  if (parents.empty()) return absl::OkStatus();
  Relation inherits = nullptr;
  Snapshot now = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    inherits = table_open(InheritsRelationId, AccessShareLock);
    now = RegisterSnapshot(GetLatestSnapshot());
  }));
  for (const RelationId parent : parents) {
    TVIEWS_RETURN_IF_ERROR(CompareTree(inherits, parent, GetActiveSnapshot(), now));
  }
  return pg::Call([&] {
    UnregisterSnapshot(now);
    table_close(inherits, AccessShareLock);
  });
}

}  // namespace tviews::worker
