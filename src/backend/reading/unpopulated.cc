#include "backend/reading/unpopulated.h"

#include "backend/reading/plan_reads.h"
#include "backend/tview/online_fill.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/worker_process.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/parallel.h>
#include <access/xact.h>
#include <catalog/namespace.h>
#include <executor/execdesc.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <utils/acl.h>
#include <utils/guc.h>
#include <utils/rls.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// In a transaction of pg_dump's: it reads one snapshot only, without row security and without a
// search_path.
bool IsDumping() {
  return XactReadOnly && IsolationUsesXactSnapshot() && !row_security &&
         namespace_search_path != nullptr && namespace_search_path[0] == '\0';
}

}  // namespace

absl::Status CheckReadsPopulated(const QueryDesc* query) {
  if (pg::IsWorker() || IsParallelWorker()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const ReadTviews reads, TviewsReadBy(query->plannedstmt));
  for (const RelationId tview : reads.concerned.tviews) {
    TVIEWS_RETURN_IF_ERROR(CheckPopulated(tview));
  }
  return absl::OkStatus();
}

absl::Status CheckCopiesPopulated(const CopyStmt* statement) {
  RelationId relation = 0;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    if (IsDumping()) return;
    relation = RangeVarGetRelid(statement->relation, NoLock, true);
    const bool may_read =
        OidIsValid(relation) && pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
    if (!may_read) relation = InvalidOid;  // the server says so
  }));
  return relation == 0 ? absl::OkStatus() : CheckPopulated(relation);
}

}  // namespace tviews::backend
